"""The demo of a first start: when it runs, and the clusters and the route that belong to it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from django.conf import settings
from django.db import transaction

from consulops.accounts.audit import Actor
from consulops.alerts.models import Route
from consulops.alerts.services import save_route
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.lab import binary
from consulops.lab.demo import ADDRESSES
from consulops.notifiers.config import from_config
from consulops.notifiers.models import Notifier
from consulops.notifiers.services import save_notifier

log = logging.getLogger("consulops.up")

ACTOR = "demo"
NOTIFIER = "demo-log"
ROUTE = "everything"


class Demo:
    """Two local datacenters, which `up` shows as clusters for as long as nobody removes them."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "demo"
        self._addresses = self._folder / ADDRESSES
        # The names of the clusters that are ours: one of another with that name is left alone.
        self._names = self._folder / "clusters.json"
        self._seen = ""

    def is_wanted(self, wish: bool | None) -> bool:
        """Whether to run the demo: as wished, else while it is shown or nothing else is.

        Logs why not where one may expect it.
        """
        if wish is None:
            wish = self._is_shown() or not (
                settings.ENV.text("CONSUL_HTTP_ADDR") or Cluster.objects.exists()
            )
        if not wish:
            return False
        try:
            found = binary.find(settings.DATA)
        except binary.NoConsul as error:
            log.warning("no demo: %s", error)
            return False
        if found is None:
            log.warning(
                "no demo, because there is no consul binary: put one on PATH, set CONSUL_BIN, "
                "or run: python -m consulops.lab fetch --data %s",
                settings.DATA,
            )
            return False
        self._addresses.unlink(missing_ok=True)
        return True

    def follow(self) -> bool:
        """Shows the datacenters at the addresses where they are now; False until they run."""
        try:
            text = self._addresses.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        if text != self._seen:
            self._show(json.loads(text))
            self._seen = text
        return True

    def _is_shown(self) -> bool:
        return Cluster.objects.filter(name__in=self._our_names()).exists()

    def _our_names(self) -> list[str]:
        if not self._names.exists():
            return []
        return list(json.loads(self._names.read_text(encoding="utf-8")))

    def _show(self, addresses: dict[str, str]) -> None:
        """Moves our clusters; when there are none, makes them, and a way to see an alert sent."""
        actor = Actor.named(ACTOR)
        with transaction.atomic():
            present = set(Cluster.objects.values_list("name", flat=True))
            ours = present.intersection(self._our_names())
            # One of two that was deleted by hand stays deleted.
            names = ours or addresses.keys() - present
            for name in sorted(names & addresses.keys()):
                values = {"address": addresses[name]}
                save_cluster(actor, name, values if ours else {**values, "datacenter": name})
            if not ours:
                _tell_of_everything(actor)
                self._names.write_text(json.dumps(sorted(names)), encoding="utf-8")


def _tell_of_everything(actor: Actor) -> None:
    """A log file and a route to it, so that the first broken check is delivered somewhere."""
    if Route.objects.exists() or Notifier.objects.filter(name=NOTIFIER).exists():
        return
    config, _ = from_config("log", {"path": "alerts.log"})
    notifier = Notifier(name=NOTIFIER, kind="log", config=config)
    save_notifier(actor, notifier)
    save_route(actor, ROUTE, {"remind_every_s": 3600}, [notifier])

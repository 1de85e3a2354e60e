"""Clusters, checks and routes for tests, and changes of checks as the watcher records them."""

from __future__ import annotations

from itertools import count
from typing import Any

from consulops.accounts.audit import Actor
from consulops.alerts.models import Route
from consulops.alerts.services import save_route
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.core.status import Status
from consulops.health import services
from consulops.health.observation import Observation
from consulops.notifiers.models import Notifier

TEST = Actor.named("test")
_index = count(1)


def make_cluster(name: str = "dc1", address: str = "http://127.0.0.1:1") -> Cluster:
    return save_cluster(TEST, name, {"address": address}).cluster


def make_notifier(
    name: str = "hook", url: str = "http://127.0.0.1:1/hook", **fields: Any
) -> Notifier:
    return Notifier.objects.create(
        name=name, kind="webhook", config={"url": url}, secrets={}, **fields
    )


def make_route(notifier: Notifier, name: str = "everything", **values: Any) -> Route:
    return save_route(TEST, name, values, [notifier])[0]


def observation(
    check: str = "web", status: str = "critical", node: str = "n1", **more: Any
) -> Observation:
    values: dict[str, Any] = {
        "name": f"Check of {check}",
        "service_id": f"{check}-1",
        "service": check,
        "tags": (),
        "output": f"it is {status}",
        "notes": "",
        "modify_index": next(_index),
    }
    return Observation(node=node, check_id=check, status=Status(status), **{**values, **more})


def see(
    cluster: Cluster, *observations: Observation, gone: tuple[tuple[str, str], ...] = ()
) -> None:
    """Records these as the watcher of the cluster would."""
    services.record(services.Recording(cluster, lambda: None), observations, gone)


def fail(cluster: Cluster, check: str = "web", status: str = "critical", **more: Any) -> None:
    see(cluster, observation(check, status, **more))


def mend(cluster: Cluster, check: str = "web", **more: Any) -> None:
    see(cluster, observation(check, "passing", **more))

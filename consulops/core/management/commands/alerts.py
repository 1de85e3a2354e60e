"""`manage.py alerts start` and `alerts watch`: in the place of consul-alerts' own commands."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand

from consulops.accounts.audit import Actor
from consulops.api import first_start
from consulops.api.consul_alerts import starting, views
from consulops.api.consul_alerts.starting import BadOptions, NobodyAnswers, Options
from consulops.api.run import Run
from consulops.clusters.services import save_cluster
from consulops.core.up import preflight
from consulops.env import BadEnvironment, Environment

ANOTHER_RUNS = 1
BAD_INPUT = 2
# As consul-alerts' own handler exits.
UNREACHABLE = 2
_SAID = """\
--alert-addr: pages and addresses at {0.alert_addr}
--consul-addr, --consul-dc: the cluster {0.datacenter} at {0.consul_url}
--log-level: {0.log_level}
--watch-checks, --watch-events: checks and user events are always watched
Profiles, thresholds and notifiers: `manage.py import consul-alerts --cluster {0.datacenter}`"""


class Command(BaseCommand):
    """Starts ConsulOps with consul-alerts' options, or hands a watch handler's input over."""

    help = "Takes consul-alerts' place: `start` with its options, `watch` for its handlers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["start", "watch"])
        parser.add_argument("what", nargs="?", choices=["checks", "event"], help="of watch")
        texts = {
            "--alert-addr": (starting.ALERT_ADDR, "HOST:PORT of pages and addresses"),
            "--consul-addr": (starting.CONSUL_ADDR, "HOST:PORT or address of Consul"),
            "--consul-dc": (starting.DATACENTER, "its datacenter, and the cluster's name"),
            "--consul-acl-token": ("", "visible to all users of the machine"),
            "--log-level": (starting.LOG_LEVEL, "debug, info, warn or err"),
            "--config-file": (None, "JSON with these options, which wins over them"),
        }
        for name, (default, text) in texts.items():
            parser.add_argument(name, default=default, help=text)
        for name in ("--watch-checks", "--watch-events"):
            parser.add_argument(name, action="store_true", help="always so")

    def handle(self, *args: object, **options: Any) -> None:
        if options["action"] == "watch":
            self._watch(options["what"], options["alert_addr"])
            return
        if options["what"]:
            self._stop("`start` takes no further word.", BAD_INPUT)
        if options["consul_acl_token"] not in ("", '""'):
            text = "Other users see --consul-acl-token in the list of processes; use "
            self.stderr.write(f"{text}CONSUL_HTTP_TOKEN_FILE or CONSUL_HTTP_TOKEN.")
        names = ("alert-addr", "consul-addr", "consul-dc", "consul-acl-token", "log-level")
        given = {name: options[name.replace("-", "_")] for name in names}
        token = settings.ENV.text("CONSUL_HTTP_TOKEN")
        try:
            self._start(starting.settle(given, options["config_file"], token))
        except BadOptions as error:
            self._stop(str(error), BAD_INPUT)

    def _watch(self, what: str | None, address: str) -> None:
        if what is None:
            self._stop("Say `watch checks` or `watch event`.", BAD_INPUT)
            return
        body = sys.stdin.buffer.read(views.MOST_BYTES)
        try:
            starting.hand_over(starting.bind_address(address), what, body)
        except (BadOptions, NobodyAnswers) as error:
            self._stop(str(error), UNREACHABLE)

    def _start(self, chosen: Options) -> None:
        if starting.answers(chosen.alert_addr):
            text = f"consul-alerts or ConsulOps already answers at {chosen.alert_addr}."
            self._stop(text, ANOTHER_RUNS)
        self.stdout.write(_SAID.format(chosen))
        _tell_processes(chosen)
        try:
            environment = Environment()
            preflight.check_port(chosen.alert_addr)
            with preflight.the_only_one(settings.DATA / "run"):
                first_start.migrate()
                self._ensure_cluster(chosen)
                Run(environment, no_demo=True).until_stopped()
        except (BadEnvironment, preflight.CannotStart) as error:
            raise SystemExit(f"ConsulOps cannot start: {error}") from None

    def _ensure_cluster(self, chosen: Options) -> None:
        values: dict[str, object] = {
            "address": chosen.consul_url,
            "datacenter": chosen.datacenter,
        }
        if chosen.token:
            values["token"] = chosen.token
        try:
            saved = save_cluster(Actor.named("alerts start"), chosen.datacenter, values)
        except ValidationError as error:
            self._stop(f"The cluster cannot be used: {' '.join(error.messages)}", BAD_INPUT)
        else:
            done = "added" if saved.created else "changed" if saved.changed else "as it was"
            self.stdout.write(f"The cluster {chosen.datacenter} is {done}.")

    def _stop(self, text: str, status: int) -> None:
        self.stderr.write(text)
        sys.exit(status)


def _tell_processes(chosen: Options) -> None:
    """By the environment, because the processes that are started must know it too."""
    values = {
        "CONSULOPS_BIND": chosen.alert_addr,
        "CONSULOPS_LOG_LEVEL": chosen.log_level,
        "CONSULOPS_CONSUL_ALERTS_CLUSTER": chosen.datacenter,
    }
    for name, value in values.items():
        os.environ.pop(f"{name}_FILE", None)
        os.environ[name] = value

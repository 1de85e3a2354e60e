"""`manage.py import consul-alerts`: takes over the configuration of another program."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from consulops.accounts.audit import Actor
from consulops.api import first_start
from consulops.api.consul_alerts import importing, source
from consulops.api.consul_alerts.config import PREFIX
from consulops.api.consul_alerts.importing import Imported
from consulops.api.consul_alerts.planning import plan
from consulops.api.consul_alerts.source import CannotRead, Tree
from consulops.clusters.models import Cluster
from consulops.core.crypto import WrongKey

FAILED = 1
BAD_INPUT = 2


class Command(BaseCommand):
    """Reads consul-alerts' keys and makes notifiers, routes, silences and handlers of them."""

    help = "Takes over consul-alerts' configuration: says what is made and what cannot be."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", choices=["consul-alerts"], help="the program to leave")
        parser.add_argument("--cluster", metavar="NAME", required=True, help="whose checks it told")
        parser.add_argument("--prefix", default=PREFIX, help=f"of its keys; {PREFIX}")
        parser.add_argument(
            "--file",
            metavar="FILE",
            help="read what `consul kv export` wrote, - for standard input",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be made, change nothing"
        )
        parser.add_argument(
            "--format", choices=["text", "json"], default="text", help="of the report; text"
        )

    def handle(self, *args: object, **options: Any) -> None:
        first_start.migrate()
        cluster = Cluster.objects.filter(name=options["cluster"]).first()
        if cluster is None:
            self._stop(f"There is no cluster {options['cluster']}.", BAD_INPUT)
        else:
            self._import(cluster, options)

    def _import(self, cluster: Cluster, options: dict[str, Any]) -> None:
        prefix = options["prefix"].strip("/") + "/"
        try:
            tree = _tree(cluster, prefix, options["file"])
        except CannotRead as error:
            self._stop(str(error), BAD_INPUT if options["file"] else FAILED)
        except WrongKey as error:
            self._stop(str(error), FAILED)
        else:
            made = plan(tree.entries, cluster.name)
            made.findings += tree.findings
            actor = Actor.named("import consul-alerts")
            done = importing.apply(actor, cluster, made, dry_run=options["dry_run"])
            self._report(done, options)

    def _stop(self, text: str, status: int) -> None:
        self.stderr.write(text)
        self.stderr.write("Nothing was changed.")
        sys.exit(status)

    def _report(self, done: Imported, options: dict[str, Any]) -> None:
        if options["format"] == "json":
            report = {
                "dry_run": options["dry_run"],
                "changes": [
                    {"done": one.done, "kind": one.kind, "name": one.name} for one in done.changes
                ],
                "findings": [one.to_dict() for one in done.findings],
            }
            self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False))
            return
        for line in [*done.changes, *done.findings]:
            self.stdout.write(str(line))
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was changed.")


def _tree(cluster: Cluster, prefix: str, file: str | None) -> Tree:
    if file is None:
        return source.from_consul(cluster, prefix)
    # One byte more than is allowed tells that there is too much.
    if file == "-":
        return source.from_file(sys.stdin.buffer.read(source.MOST_BYTES + 1), prefix)
    try:
        with Path(file).open("rb") as opened:
            return source.from_file(opened.read(source.MOST_BYTES + 1), prefix)
    except OSError as error:
        raise CannotRead(f"Cannot read {file}: {error.strerror}.") from error

"""`manage.py up`: the whole product on this machine, in the foreground."""

from __future__ import annotations

import os
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand

from consulops.api.run import Run
from consulops.core.up import preflight
from consulops.env import BadEnvironment, Environment


class Command(BaseCommand):
    """Prepares the database, runs web, watch and ops until a signal, and stops them."""

    help = "Starts ConsulOps in the foreground: web, watch, ops and, when empty, a demo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="as CONSULOPS_DEMO=0")
        parser.add_argument("--bind", metavar="HOST:PORT", help="as CONSULOPS_BIND")

    def handle(self, *args: object, no_demo: bool, bind: str | None, **options: object) -> None:
        # By the environment, because the processes must know it too.
        if bind:
            os.environ.pop("CONSULOPS_BIND_FILE", None)
            os.environ["CONSULOPS_BIND"] = bind
        try:
            environment = Environment()
            preflight.check_port(environment.text("CONSULOPS_BIND"))
            with preflight.the_only_one(settings.DATA / "run"):
                Run(environment, no_demo).until_stopped()
        except (BadEnvironment, preflight.CannotStart) as error:
            raise SystemExit(f"ConsulOps cannot start: {error}") from None

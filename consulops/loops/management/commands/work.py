"""`manage.py work watch|ops`: one of the two kinds of worker processes."""

from __future__ import annotations

import os
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django_q.conf import Conf

from consulops.loops import presence, schedules, services
from consulops.loops.workers import Workers


class Command(BaseCommand):
    """Runs the workers of one django-q2 cluster until SIGTERM or SIGINT."""

    help = "Runs workers: `watch` runs the loops, `ops` everything else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", choices=[services.WATCH, services.OPS])

    def handle(self, *args: object, cluster: str, **options: object) -> None:
        if cluster != Conf.CLUSTER_NAME:
            # manage.py sets it: django-q2 reads it while Django starts, long before this line.
            raise CommandError(f"Start it as: CONSULOPS_PROCESS={cluster} manage.py work {cluster}")
        schedules.ensure()
        # What is forked must not share a connection.
        connections.close_all()
        if not Workers().run():
            raise CommandError("The sentinel of the workers died.")
        presence.leave(os.getpid())

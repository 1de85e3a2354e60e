"""`manage.py export`: the configuration as a file that `apply` takes."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from consulops.api import first_start
from consulops.api.configuration.exporting import export
from consulops.core.crypto import WrongKey


class Command(BaseCommand):
    """Writes the clusters, notifiers and routes to standard output."""

    help = "Prints the configuration as YAML for `apply`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--secrets", action="store_true", help="with tokens and passwords, in the clear"
        )

    def handle(self, *args: object, secrets: bool, **options: object) -> None:
        first_start.migrate()
        try:
            self.stdout.write(export(secrets=secrets), ending="")
        except WrongKey as error:
            raise CommandError(str(error)) from error

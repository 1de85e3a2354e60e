"""`manage.py apply FILE`: clusters, notifiers and routes from a YAML file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand

from consulops.accounts.audit import Actor
from consulops.api import first_start
from consulops.api.configuration.applying import apply
from consulops.api.configuration.document import parse
from consulops.api.configuration.problems import BadFile
from consulops.api.configuration.reading import LARGEST_BYTES, read
from consulops.api.configuration.sections import FORMS

BAD_INPUT = 2


class Command(BaseCommand):
    """Makes the configuration agree with the file, all of it or nothing."""

    help = "Applies a configuration file: says what was created, changed or left as it was."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the YAML file, - for standard input")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, change nothing"
        )
        parser.add_argument(
            "--prune",
            action="store_true",
            help="remove what the file does not name, in the sections that it has",
        )

    def handle(
        self, *args: object, file: str, dry_run: bool, prune: bool, **options: object
    ) -> None:
        try:
            document = parse(read(_bytes(file)), FORMS)
            first_start.migrate()
            changes = apply(Actor.named("apply"), document, prune=prune, dry_run=dry_run)
        except BadFile as error:
            for line in error.problems:
                self.stderr.write(line)
            self.stderr.write("Nothing was changed.")
            sys.exit(BAD_INPUT)
        for change in changes:
            self.stdout.write(str(change))
        if dry_run:
            self.stdout.write("Dry run: nothing was changed.")


def _bytes(file: str) -> bytes:
    # One byte more than is allowed tells that there is too much.
    if file == "-":
        return sys.stdin.buffer.read(LARGEST_BYTES + 1)
    try:
        with Path(file).open("rb") as source:
            return source.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise BadFile([f"cannot read {file}: {error.strerror}"]) from error

"""`manage.py rotate_keys`: encrypts every stored secret with the newest key."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from consulops import keys
from consulops.core.rotation import Rotated, Unreadable, rotate_all


class Command(BaseCommand):
    """Works while ConsulOps runs: its processes look for newer keys when theirs do not fit."""

    help = (
        "Encrypts every stored secret with the newest of the encryption keys (the first). "
        "May be repeated; if a secret cannot be read, nothing is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--generate",
            action="store_true",
            help="first put a new key in front of those in the data folder",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = (
                _with_fresh_key() if options["generate"] else rotate_all(settings.ENCRYPTION_KEYS)
            )
        except Unreadable as error:
            raise CommandError(str(error)) from error
        for one in done:
            self.stdout.write(_line(one))
        if options["generate"]:
            self.stdout.write(
                "The new key is in front in the file encryption.keys of the data folder. Running "
                "processes read with it at once and write with it after a restart; then repeat "
                "rotate_keys, and the old keys may go."
            )


def _with_fresh_key() -> list[Rotated]:
    if settings.ENV.words("CONSULOPS_ENCRYPTION_KEYS"):
        raise CommandError(
            "The keys come from CONSULOPS_ENCRYPTION_KEYS. Put a new key in front there (for "
            "instance from: openssl rand -base64 32 | tr '+/' '-_'), restart, and run rotate_keys."
        )
    fresh = Fernet.generate_key().decode()
    # The key is in the file before any secret needs it: a crash in between loses nothing.
    return rotate_all(
        [fresh, *settings.ENCRYPTION_KEYS],
        before_commit=lambda: keys.add_encryption_key(settings.DATA, fresh),
    )


def _line(one: Rotated) -> str:
    return f"{one.field}: {one.secrets} kept, {one.changed} encrypted anew"

"""Encryption of secrets at rest: fields whose database value is a Fernet token."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class WrongKey(Exception):
    """A stored secret cannot be read with any of the configured keys."""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """The Fernet token of this text under the newest key; empty text stays empty."""
    if not text:
        return ""
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text of a token. Raises WrongKey; a ciphertext is never handed out as a value."""
    if not token:
        return ""
    try:
        return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise WrongKey(
            "A stored secret was encrypted with a key that is not in CONSULOPS_ENCRYPTION_KEYS; "
            "add the old key at the end of the list, or enter the secret again."
        ) from error


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that is encrypted in the database and clear in Python."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return None if prepared is None else encrypt(prepared)


class EncryptedJSONField(EncryptedTextField):
    """A JSON value that is encrypted in the database: the secrets of a notifier, say."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        text = super().from_db_value(value, expression, connection)
        return json.loads(text) if text else {}

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(json.dumps(value, sort_keys=True) if value else "")

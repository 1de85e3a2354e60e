"""Encryption of secrets at rest: fields whose database value is a Fernet token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from consulops import keys


class WrongKey(Exception):
    """A stored secret cannot be read with any of the configured keys."""

    def __init__(self) -> None:
        super().__init__(
            "A stored secret was encrypted with a key that is not in CONSULOPS_ENCRYPTION_KEYS; "
            "add the old key at the end of the list, or enter the secret again."
        )


@lru_cache(maxsize=8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _configured() -> tuple[str, ...]:
    return tuple(settings.ENCRYPTION_KEYS)


def _rotated_meanwhile() -> tuple[str, ...]:
    """The keys in the data folder when they are ours and newer ones: rotated while we ran."""
    filed = tuple(keys.encryption_keys(settings.DATA))
    return filed if set(filed) > set(_configured()) else ()


def encrypt(text: str) -> str:
    """The Fernet token of this text under the newest key; empty text stays empty."""
    if not text:
        return ""
    return _fernet(_configured()).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text of a token. Raises WrongKey; a ciphertext is never handed out as a value."""
    if not token:
        return ""
    try:
        return _fernet(_configured()).decrypt(token.encode()).decode()
    except InvalidToken:
        newer = _rotated_meanwhile()
    try:
        if newer:
            return _fernet(newer).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise WrongKey from error
    raise WrongKey


def rotate(token: str, all_keys: Sequence[str]) -> str:
    """The token under the first of these keys, itself when it is already. Raises WrongKey."""
    if not token:
        return token
    try:
        _fernet((all_keys[0],)).decrypt(token.encode())
    except InvalidToken:
        try:
            return _fernet(tuple(all_keys)).rotate(token.encode()).decode()
        except InvalidToken as error:
            raise WrongKey from error
    return token


class Sealed:
    """A secret as the database holds it; it has no readable form until somebody opens it."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return "<sealed>"

    def __bool__(self) -> bool:
        return bool(self.token)


class _OpensWhenRead(DeferredAttribute):
    """Decrypts when code reads the attribute, not when the row is loaded.

    So a page that lists or joins these rows works, and costs nothing, with a wrong key.
    """

    field: EncryptedTextField

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or not isinstance(value, Sealed):
            return value
        clear = instance.__dict__[self.field.attname] = self.field.opened(value)
        return clear

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """Text that is encrypted in the database and clear in Python. Reading it raises WrongKey."""

    descriptor_class = _OpensWhenRead

    def opened(self, sealed: Sealed) -> Any:
        """The value inside. Raises WrongKey."""
        return decrypt(sealed.token)

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        # What nobody has read goes back as it came, also when we could not read it.
        kept = model_instance.__dict__.get(self.attname)
        return kept if isinstance(kept, Sealed) else super().pre_save(model_instance, add)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.token
        prepared = super().get_prep_value(value)
        return None if prepared is None else encrypt(prepared)


class EncryptedJSONField(EncryptedTextField):
    """A JSON value that is encrypted in the database: the secrets of a notifier, say."""

    # For the type checker, as django-stubs has it: any JSON, not a text.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def opened(self, sealed: Sealed) -> Any:
        text = super().opened(sealed)
        return json.loads(text) if text else {}

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.token
        return super().get_prep_value(json.dumps(value, sort_keys=True) if value else "")

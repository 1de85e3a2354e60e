"""Puts every stored secret under the newest key, whatever model it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models, transaction

from consulops.core.crypto import EncryptedTextField, Sealed, WrongKey, rotate

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one encrypted field: how many secrets it has, how many got the newest key."""

    field: str
    secrets: int
    changed: int


class Unreadable(Exception):
    """Some stored secret is under none of the keys; the text names them."""


def encrypted_fields() -> Iterator[EncryptedTextField]:
    """Every encrypted field of every model."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield field


def rotate_all(
    keys: Sequence[str], before_commit: Callable[[], None] | None = None
) -> list[Rotated]:
    """Encrypts all secrets with the first of the keys, in one transaction, and may be repeated.

    Raises Unreadable, and then nothing has changed. `before_commit` runs once all went well.
    """
    with transaction.atomic():
        lost: list[str] = []
        done = [_rotate_field(field, keys, lost) for field in encrypted_fields()]
        if lost:
            named = ", ".join(lost[:10]) + (" …" if len(lost) > 10 else "")
            raise Unreadable(
                f"{len(lost)} stored secrets are under a key that is not given: {named}. "
                "Nothing was changed. Add the old key at the end of CONSULOPS_ENCRYPTION_KEYS, or "
                "enter these secrets again."
            )
        if before_commit:
            before_commit()
    return done


def _rotate_field(field: EncryptedTextField, keys: Sequence[str], lost: list[str]) -> Rotated:
    """Rotates one field of all rows; adds the rows that no key opens to `lost`."""
    model: type[models.Model] = field.model
    name = f"{model._meta.verbose_name} {field.attname}"
    secrets = changed = 0
    # Locked, so that a secret entered meanwhile is not written over with the one before it.
    rows = model._default_manager.select_for_update().order_by("pk").only("pk", field.attname)
    for row in rows.iterator(chunk_size=_BATCH):
        token = _token(row, field)
        if not token:
            continue
        secrets += 1
        try:
            newer = rotate(token, keys)
        except WrongKey:
            lost.append(f"{name} of {row.pk}")
            continue
        if newer != token:
            changed += 1
            model._default_manager.filter(pk=row.pk).update(**{field.attname: Sealed(newer)})
    return Rotated(name, secrets, changed)


def _token(row: models.Model, field: EncryptedTextField) -> str:
    kept: Any = row.__dict__.get(field.attname)
    return kept.token if isinstance(kept, Sealed) else ""

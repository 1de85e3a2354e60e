"""The record of who changed what: every service that a person can cause writes it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self

from django.db import models
from django.http import HttpRequest

from consulops.accounts.models import AuditEntry, User
from consulops.core.crypto import EncryptedTextField

# What stands in an entry in place of a secret: that it changed is news, its value is not.
REDACTED = "changed"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who causes a change: a person behind a page, or a command by its name."""

    user: User | None
    name: str
    address: str | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """The person behind a request, and the address that it came from.

        The address is REMOTE_ADDR: X-Forwarded-For is anybody's word. Behind a proxy, uvicorn
        has already put the client's address there, and it believes only the proxies that it was
        told to (--forwarded-allow-ips, by default this machine).
        """
        user = request.user if isinstance(request.user, User) else None
        name = user.get_username() if user else "anonymous"
        return cls(user, name, _address(request.META.get("REMOTE_ADDR", "")))

    @classmethod
    def named(cls, name: str) -> Self:
        """A command or a task of ours: "apply", "first start"."""
        return cls(None, name)


def record(
    actor: Actor,
    action: str,
    obj: models.Model | None = None,
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Writes one audit entry in the current transaction; call it before `obj` is deleted.

    `detail` is any JSON, by habit {"changed": changed_fields(…)}. Whatever stands in it under the
    name of an encrypted field of `obj`, or under "password", is replaced.
    """
    return AuditEntry.objects.create(
        actor=actor.user,
        actor_name=actor.name[:150],
        address=actor.address,
        action=action,
        object_type=obj._meta.model_name or "" if obj else "",
        object_id=str(obj.pk)[:60] if obj else "",
        object_name=str(obj)[:255] if obj else "",
        detail=_redacted(detail or {}, _secret_fields(obj)),
    )


def changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any], secrets: set[str] | frozenset[str]
) -> dict[str, Any]:
    """The fields that differ, as {"field": {"from": …, "to": …}}; of a secret one only that it did.

    A field that only one side has counts as None on the other.
    """
    changes: dict[str, Any] = {}
    for field in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(field), after.get(field)
        if old != new:
            changes[field] = REDACTED if field in secrets else {"from": old, "to": new}
    return changes


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:  # a Unix socket has none
        return None


def _secret_fields(obj: models.Model | None) -> frozenset[str]:
    fields = obj._meta.concrete_fields if obj else ()
    return frozenset(
        {"password"} | {field.name for field in fields if isinstance(field, EncryptedTextField)}
    )


def _redacted(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: REDACTED if key in secrets else _redacted(inner, secrets)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner, secrets) for inner in value]
    return value

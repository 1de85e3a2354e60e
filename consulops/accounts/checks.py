"""System checks of what an operator sets: `manage.py check` names what is wrong and the remedy."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

SHORTEST_SECRET_KEY = 32


@register(Tags.security)
def encryption_keys(**_: Any) -> list[CheckMessage]:
    """E001: secrets at rest cannot be read or written with these keys."""
    keys: list[str] = settings.ENCRYPTION_KEYS
    bad = [str(place) for place, key in enumerate(keys, start=1) if not _is_fernet_key(key)]
    if keys and not bad:
        return []
    return [
        Error(
            f"Encryption key {', '.join(bad)} of {len(keys)} is no Fernet key."
            if bad
            else "There is no encryption key.",
            hint="Keys are in CONSULOPS_ENCRYPTION_KEYS or, without it, one a line in "
            "encryption.keys of the data folder: 32 bytes each, as URL-safe base64.",
            id="consulops.E001",
        )
    ]


@register(Tags.security)
def secret_key(**_: Any) -> list[CheckMessage]:
    """E002: a key that can be guessed forges sessions and tasks, and tasks are pickles."""
    if len(settings.SECRET_KEY) >= SHORTEST_SECRET_KEY:
        return []
    return [
        Error(
            f"CONSULOPS_SECRET_KEY has fewer than {SHORTEST_SECRET_KEY} characters.",
            hint="Make it longer and random, or unset it to have one generated.",
            id="consulops.E002",
        )
    ]


@register(Tags.security)
def debug_for_strangers(**_: Any) -> list[CheckMessage]:
    """W001: Django's debug pages show settings and source to whoever reaches them."""
    if not settings.DEBUG or is_loopback(settings.BIND):
        return []
    return [
        Warning(
            f"CONSULOPS_DEBUG is on while others can reach {settings.BIND}.",
            hint="Unset CONSULOPS_DEBUG, or bind to 127.0.0.1.",
            id="consulops.W001",
        )
    ]


@register(Tags.security)
def passwords_in_clear(**_: Any) -> list[CheckMessage]:
    """W002: without TLS anybody on the way reads passwords and session cookies."""
    if settings.URL.startswith("https://") or is_loopback(settings.BIND):
        return []
    return [
        Warning(
            f"The pages at {settings.BIND} are reached without TLS.",
            hint="Put a proxy with TLS in front and set CONSULOPS_URL=https://…, "
            "or bind to 127.0.0.1.",
            id="consulops.W002",
        )
    ]


def is_loopback(bind: str) -> bool:
    """Whether HOST:PORT can be reached from this machine only."""
    host = bind.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True

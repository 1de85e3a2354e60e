"""What the tests of the pages share."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import Client

from consulops.notifiers.models import Notifier

SECRET = "s3cr3t-of-the-page"


def notifier(**changes: Any) -> Notifier:
    """A stored webhook with a secret header."""
    values: dict[str, Any] = {
        "name": "hook",
        "kind": "webhook",
        "config": {"url": "http://127.0.0.1:1/hook", "method": "POST", "verify_tls": True},
        "secrets": {"headers": {"Authorization": SECRET}},
        **changes,
    }
    return Notifier.objects.create(**values)


def lose_the_key() -> None:
    """Leaves all secrets under a key that nobody has."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifiers_notifier SET secrets = 'of another key'")


def text(client: Client, address: str, **query: str) -> str:
    """The page, which must be one."""
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def posted(**changes: Any) -> dict[str, Any]:
    """What the form of a webhook sends; a value of None leaves the field out."""
    values = {
        "kind": "webhook",
        "name": "hook",
        "enabled": "on",
        "timeout_s": "5",
        "concurrency": "8",
        "config_url": "http://127.0.0.1:1/hook",
        "config_method": "POST",
        "config_headers": "",
        "config_secret": "",
        "config_verify_tls": "on",
        "config_ca_certificate": "",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}

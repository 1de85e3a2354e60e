"""What the tests of the alerts' and routes' pages share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Alert, Attempt, Delivery, Notice, Route

HTMX = {"HX-Request": "true"}
ODD = "<script>alert(1)</script>/ünï \"quoted\" & 'co'"


def text(client: Client, address: str, **query: str) -> str:
    """The page, which must be one."""
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def notes(response: Any) -> list[str]:
    """What the person is told about what they did."""
    return [str(message) for message in get_messages(response.wsgi_request)]


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Fails when anything that pages show was written meanwhile."""
    before = _everything()
    yield
    assert _everything() == before


def _everything() -> list[list[Any]]:
    models = (Alert, Route, Notice, Delivery, Attempt, AuditEntry)
    return [list(model._default_manager.order_by("pk").values()) for model in models]

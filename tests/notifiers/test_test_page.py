"""Sending a test message with the saved settings."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from consulops.accounts.models import AuditEntry
from consulops.notifiers.models import Notifier
from tests.notifiers.pages import SECRET, lose_the_key, notifier
from tests.receivers import WebhookReceiver


def address_of(one: Notifier) -> str:
    return reverse("notifiers:test", args=[one.pk])


def test_stranger_has_to_sign_in(stranger: Client) -> None:
    response = stranger.post(address_of(notifier()))
    assert response.status_code == 302


def test_viewer_may_not(as_viewer: Client) -> None:
    assert as_viewer.post(address_of(notifier())).status_code == 403
    assert not AuditEntry.objects.exists()


def test_looking_sends_nothing(as_operator: Client) -> None:
    assert as_operator.get(address_of(notifier())).status_code == 405


@pytest.mark.parametrize("who", ["as_operator", "as_admin"])
def test_answer_is_shown(who: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    with WebhookReceiver() as receiver:
        one = notifier(config={"url": receiver.url})
        page = client.post(address_of(one)).content.decode()
        assert receiver.next().headers["Authorization"] == SECRET
    assert "<html" in page
    assert "HTTP 200 OK: ok" in page
    assert SECRET not in page


def test_htmx_gets_only_the_answer(as_operator: Client) -> None:
    page = as_operator.post(address_of(notifier()), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    assert "Connection refused" in page


def test_lost_key_is_an_answer(as_operator: Client) -> None:
    one = notifier()
    lose_the_key()
    assert "CONSULOPS_ENCRYPTION_KEYS" in as_operator.post(address_of(one)).content.decode()

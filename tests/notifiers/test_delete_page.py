"""Deleting a notifier."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from consulops.alerts.models import Route
from consulops.notifiers.models import Notifier
from tests.notifiers.pages import notifier


def delete(one: Notifier) -> str:
    return reverse("notifiers:delete", args=[one.pk])


@pytest.mark.parametrize(
    ("who", "status"), [("stranger", 302), ("as_viewer", 403), ("as_operator", 403)]
)
def test_only_admins_may(who: str, status: int, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.post(delete(notifier())).status_code == status
    assert Notifier.objects.exists()


def test_looking_deletes_nothing(as_admin: Client) -> None:
    assert as_admin.get(delete(notifier())).status_code == 405
    assert Notifier.objects.exists()


def test_it_is_gone(as_admin: Client) -> None:
    response = as_admin.post(delete(notifier()))
    assert response["Location"] == reverse("notifiers:list")
    assert not Notifier.objects.exists()


def test_one_that_a_route_uses_stays_and_says_why(as_admin: Client) -> None:
    one = notifier()
    Route.objects.create(name="night").notifiers.add(one)
    page = as_admin.post(delete(one), follow=True).content.decode()
    assert "It is used by night." in page
    assert Notifier.objects.exists()

"""The list of notifiers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from consulops.alerts.models import Route
from tests.notifiers.pages import SECRET, lose_the_key, notifier, text

LIST = reverse("notifiers:list")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_stranger_has_to_sign_in(stranger: Client) -> None:
    response = stranger.get(LIST)
    assert response.status_code == 302
    assert reverse("accounts:login") in response["Location"]


def test_viewer_sees_how_each_fares_and_may_do_nothing(as_viewer: Client) -> None:
    hook = notifier()
    notifier(name="bad", error="HTTP 404 Not Found", error_at=NOW, error_is_permanent=True)
    notifier(name="old", kind="fax", enabled=False)
    Route.objects.create(name="all").notifiers.add(hook)
    page = text(as_viewer, LIST)
    assert "Does not send" in page
    assert "HTTP 404 Not Found" in page
    assert "fax (not known here)" in page
    assert "Switched off" in page
    assert reverse("notifiers:edit", args=[hook.pk]) not in page
    assert "Send test" not in page
    assert "Add notifier" not in page


def test_operator_may_send_a_test(as_operator: Client) -> None:
    hook = notifier()
    page = text(as_operator, LIST)
    assert f'action="{reverse("notifiers:test", args=[hook.pk])}"' in page
    assert f'href="{reverse("notifiers:edit", args=[hook.pk])}"' not in page


def test_admin_may_change(as_admin: Client) -> None:
    hook = notifier()
    page = text(as_admin, LIST)
    assert reverse("notifiers:edit", args=[hook.pk]) in page
    assert reverse("notifiers:new") in page


def test_those_that_fail_come_first(as_viewer: Client) -> None:
    for name, error, permanent in [
        ("anton", "", False),
        ("berta", "HTTP 503", False),
        ("cäsar", "HTTP 404", True),
    ]:
        notifier(name=name, error=error, error_is_permanent=permanent)
    page = text(as_viewer, LIST)
    assert page.index("cäsar") < page.index("berta") < page.index("anton")


def test_odd_names_and_errors_are_escaped(as_admin: Client) -> None:
    notifier(name="<script>alert(1)</script>", error="<script>alert(2)</script>")
    assert "<script>alert(" not in text(as_admin, LIST)


def test_without_any_it_says_what_they_are_for(as_viewer: Client, as_admin: Client) -> None:
    assert "An admin can add one." in text(as_viewer, LIST)
    assert "Say where messages go" in text(as_admin, LIST)


def test_lost_key_breaks_nothing(as_viewer: Client) -> None:
    notifier()
    lose_the_key()
    assert "hook" in text(as_viewer, LIST)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_table_as_a_file(form: str, as_viewer: Client) -> None:
    notifier()
    response = as_viewer.get(LIST, {"format": form})
    content = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # a stream
    assert "hook" in content
    assert SECRET not in content
    if form == "json":
        assert json.loads(content)[0]["routes"] == 0


def test_number_of_queries_does_not_grow(
    as_admin: Client, django_assert_max_num_queries: object
) -> None:
    for number in range(20):
        Route.objects.create(name=f"r{number}").notifiers.add(notifier(name=f"n{number}"))
    with django_assert_max_num_queries(6):  # type: ignore[operator]  # a fixture of pytest-django
        text(as_admin, LIST)

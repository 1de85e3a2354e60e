"""The form of a notifier that is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from consulops.alerts.models import Attempt, Delivery, Route
from consulops.notifiers.models import Notifier
from tests.notifiers.pages import SECRET, lose_the_key, notifier, posted, text
from tests.receivers import WebhookReceiver

NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def edit(one: Notifier) -> str:
    return reverse("notifiers:edit", args=[one.pk])


def test_stranger_has_to_sign_in(stranger: Client) -> None:
    assert stranger.get(edit(notifier())).status_code == 302


@pytest.mark.parametrize("who", ["as_viewer", "as_operator"])
def test_only_admins_may_change(who: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    one = notifier()
    assert client.get(edit(one)).status_code == 403
    assert client.post(edit(one), posted(name="mine")).status_code == 403
    assert client.post(edit(one), posted(test="1")).status_code == 403
    assert Notifier.objects.get().name == "hook"


def test_one_that_is_not_there(as_admin: Client) -> None:
    assert as_admin.get(reverse("notifiers:edit", args=[1])).status_code == 404


def test_form_shows_everything_but_the_secret(as_admin: Client) -> None:
    page = text(as_admin, edit(notifier(secrets_at=NOW)))
    assert 'value="http://127.0.0.1:1/hook"' in page
    assert SECRET not in page
    assert "Set on 2026-01-01 12:30 UTC." in page
    # Of the two secrets only the one that is kept can be removed.
    assert 'name="clear_headers"' in page
    assert 'name="clear_secret"' not in page


def test_empty_secret_keeps_the_stored_one(as_admin: Client) -> None:
    one = notifier()
    as_admin.post(edit(one), posted(name="other"))
    saved = Notifier.objects.get()
    assert saved.name == "other"
    assert saved.secrets == {"headers": {"Authorization": SECRET}}


def test_new_secret_replaces_the_stored_one(as_admin: Client) -> None:
    as_admin.post(edit(notifier()), posted(config_headers="X: y"))
    saved = Notifier.objects.get()
    assert saved.secrets == {"headers": {"X": "y"}}
    assert saved.secrets_at


def test_secret_can_be_removed(as_admin: Client) -> None:
    as_admin.post(edit(notifier()), posted(clear_headers="on"))
    assert Notifier.objects.get().secrets == {}


def test_required_secret_may_be_left_empty_but_not_removed(as_admin: Client) -> None:
    one = notifier(kind="slack", config={}, secrets={"url": "http://x/s3cr3t"})
    page = text(as_admin, edit(one))
    assert "clear_url" not in page
    form = {"name": "slack", "timeout_s": "5", "concurrency": "8", "config_url": ""}
    assert as_admin.post(edit(one), form).status_code == 302
    saved = Notifier.objects.get()
    assert (saved.name, saved.secrets) == ("slack", {"url": "http://x/s3cr3t"})


def test_kind_cannot_be_changed(as_admin: Client) -> None:
    as_admin.post(edit(notifier()), posted(kind="log"))
    assert Notifier.objects.get().kind == "webhook"


def test_secret_of_a_lost_key_has_to_be_entered_again(as_admin: Client) -> None:
    one = notifier(kind="slack", config={}, secrets={"url": "http://x/s3cr3t"})
    lose_the_key()
    assert "CONSULOPS_ENCRYPTION_KEYS" in text(as_admin, edit(one))
    form = {"name": "slack", "timeout_s": "5", "concurrency": "8", "config_url": ""}
    assert "This field is required" in as_admin.post(edit(one), form).content.decode()
    as_admin.post(edit(one), {**form, "config_url": "http://y/"})
    assert Notifier.objects.get().secrets == {"url": "http://y/"}


def test_test_uses_what_is_typed_and_the_secret_that_is_kept(as_admin: Client) -> None:
    one = notifier()
    with WebhookReceiver() as receiver:
        as_admin.post(edit(one), posted(config_url=receiver.url, test="1"))
        assert receiver.next().headers["Authorization"] == SECRET
    assert Notifier.objects.get().config["url"] == "http://127.0.0.1:1/hook"


def test_permanent_error_is_loud(as_admin: Client) -> None:
    one = notifier(error="HTTP 410 Gone <b>", error_at=NOW, error_is_permanent=True)
    page = text(as_admin, edit(one))
    assert "banner-critical" in page
    assert "HTTP 410 Gone &lt;b&gt;" in page


def test_use_by_routes_is_told_in_place_of_the_button(as_admin: Client) -> None:
    one = notifier()
    assert reverse("notifiers:delete", args=[one.pk]) in text(as_admin, edit(one))
    Route.objects.create(name="night").notifiers.add(one)
    page = text(as_admin, edit(one))
    assert "night" in page
    assert reverse("notifiers:delete", args=[one.pk]) not in page


def test_last_messages_and_their_answers_are_shown(as_admin: Client) -> None:
    one = notifier()
    delivery = Delivery.objects.create(
        notifier=one,
        notifier_name=one.name,
        reason="opened",
        lane="1",
        message={},
        state="failed",
        created_at=NOW,
        next_attempt_at=NOW,
        attempt_count=1,
    )
    Attempt.objects.create(delivery=delivery, at=NOW, duration_ms=7, ok=False, answer="404 gone")
    assert "404 gone" in text(as_admin, edit(one))


def test_number_of_queries(as_admin: Client, django_assert_max_num_queries: object) -> None:
    one = notifier()
    with django_assert_max_num_queries(8):  # type: ignore[operator]  # a fixture of pytest-django
        text(as_admin, edit(one))

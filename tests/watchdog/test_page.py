"""The watchdog's page: who sees what, the settings, and the ping by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from consulops.watchdog import services
from consulops.watchdog.models import Watchdog
from tests.alerts.factories import TEST, make_cluster
from tests.health.things import rows_of, text_of
from tests.receivers import Answer, WebhookReceiver
from tests.watchdog.things import ago, hold_lease, look, state

pytestmark = pytest.mark.django_db

PAGE = "/system/watchdog/"
FILLED = {"unreachable_after_s": "45", "delivery_after_s": "90", "heartbeat_every_s": "120"}


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


def test_what_is_watched_worst_first(as_viewer: Client) -> None:
    cluster = make_cluster()
    state(cluster, failure_tolerance=1, answered_at=ago(60), error="<b>Refused</b>.")
    hold_lease(f"checks:{cluster.pk}")
    look()
    text = text_of(as_viewer, PAGE)
    assert "&lt;b&gt;Refused" in text
    rows = rows_of(as_viewer, PAGE)
    assert (rows[0]["about"], rows[0]["check"]) == ("dc1", "consulops:watcher")
    assert rows[-1]["about"] in ("dc1", "ConsulOps")


def test_before_anything_is_known(as_viewer: Client) -> None:
    assert "Nothing yet" in text_of(as_viewer, PAGE)


def test_only_admins_see_the_form_and_change_it(as_operator: Client, as_admin: Client) -> None:
    assert "id_delivery_after_s" not in text_of(as_operator, PAGE)
    assert as_operator.post(PAGE, FILLED).status_code == 403
    assert as_operator.post(f"{PAGE}ping/").status_code == 403
    assert not Watchdog.objects.exists()
    assert "id_delivery_after_s" in text_of(as_admin, PAGE)


def test_settings_are_saved(as_admin: Client) -> None:
    answer = as_admin.post(PAGE, FILLED)
    assert answer.status_code == 302
    watchdog = Watchdog.load()
    assert (watchdog.unreachable_after_s, watchdog.delivery_after_s) == (45, 90)


def test_settings_that_cannot_be(as_admin: Client) -> None:
    wrong = {"unreachable_after_s": "3", "heartbeat_url": "very-secret"}
    text = as_admin.post(PAGE, {**FILLED, **wrong}).content.decode()
    assert "greater than or equal to 15" in text
    assert "begins with https://" in text
    assert "very-secret" not in text
    assert not Watchdog.objects.exists()


def test_the_address_is_kept_and_never_shown(as_admin: Client) -> None:
    as_admin.post(PAGE, {**FILLED, "heartbeat_url": "https://hc.example/very-secret"})
    text = text_of(as_admin, PAGE)
    assert "very-secret" not in text
    assert "Set on" in text
    as_admin.post(PAGE, FILLED)
    assert Watchdog.load().heartbeat_url == "https://hc.example/very-secret"
    as_admin.post(PAGE, {**FILLED, "clear_heartbeat_url": "on"})
    assert Watchdog.load().heartbeat_set_at is None


def test_ping_now_shows_the_real_answer(as_admin: Client, hook: WebhookReceiver) -> None:
    services.save_settings(TEST, {"heartbeat_url": hook.url})
    hook.answer = Answer(200, "thanks <3")
    text = as_admin.post(f"{PAGE}ping/", follow=True).content.decode()
    assert "The ping was taken: HTTP 200 OK: thanks &lt;3" in text
    hook.answer = Answer(404, "not found")
    text = as_admin.post(f"{PAGE}ping/", follow=True).content.decode()
    assert "The ping was not taken: HTTP 404" in text
    assert "404" in Watchdog.load().heartbeat_error


def test_ping_without_an_address(as_admin: Client) -> None:
    text = as_admin.post(f"{PAGE}ping/", follow=True).content.decode()
    assert "No address is saved" in text

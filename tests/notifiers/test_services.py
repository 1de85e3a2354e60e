"""What is stored, what is recorded, and what a test message answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Route
from consulops.notifiers import services
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.models import Notifier
from tests.notifiers.pages import lose_the_key
from tests.notifiers.test_webhook import TOKEN
from tests.receivers import Answer, WebhookReceiver

pytestmark = pytest.mark.django_db
ACTOR = Actor.named("apply")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hook(**changes: Any) -> Notifier:
    values: dict[str, Any] = {
        "name": "hook",
        "kind": "webhook",
        "config": {"url": "http://127.0.0.1:1/"},
        "secrets": {"headers": {"Authorization": TOKEN}},
        "timeout_s": 5,
        **changes,
    }
    return Notifier(**values)


def saved(**changes: Any) -> Notifier:
    services.save_notifier(ACTOR, hook(**changes))
    return Notifier.objects.get()


def test_new_notifier_is_recorded_without_its_secrets() -> None:
    notifier = saved()
    assert notifier.secrets == {"headers": {"Authorization": TOKEN}}
    assert notifier.secrets_at
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name, entry.object_name) == (
        "notifier.created",
        "apply",
        "hook",
    )
    assert TOKEN not in json.dumps(entry.detail)


def test_what_is_as_it_was_is_not_stored_again() -> None:
    notifier = saved()
    assert not services.save_notifier(ACTOR, Notifier.objects.get())
    assert AuditEntry.objects.count() == 1
    assert Notifier.objects.get().updated_at == notifier.updated_at


def test_change_names_the_fields_and_hides_the_secret() -> None:
    notifier = saved()
    notifier.timeout_s = 7
    notifier.secrets = {"secret": "s3cr3t-new"}
    assert services.save_notifier(ACTOR, notifier)
    entry = AuditEntry.objects.latest("id")
    assert entry.action == "notifier.updated"
    assert entry.detail["changed"] == {"timeout_s": {"from": 5, "to": 7}, "secrets": "changed"}


def test_change_of_anything_else_keeps_the_date_of_the_secrets() -> None:
    notifier = saved()
    before = notifier.secrets_at
    notifier.timeout_s = 7
    services.save_notifier(ACTOR, notifier)
    assert Notifier.objects.get().secrets_at == before


def test_change_clears_the_error_but_not_what_the_courier_wrote() -> None:
    notifier = saved()
    services.mark_error([notifier.pk], "HTTP 404", permanent=True, at=NOW)
    Notifier.objects.update(sent_at=NOW)
    notifier.timeout_s = 7
    services.save_notifier(ACTOR, notifier)
    after = Notifier.objects.get()
    assert (after.error, after.error_is_permanent, after.error_at) == ("", False, None)
    assert after.sent_at == NOW


def test_secrets_of_a_lost_key_can_be_entered_again() -> None:
    saved()
    lose_the_key()
    again = Notifier.objects.get()
    again.secrets = {"secret": "s3cr3t-new"}
    assert services.save_notifier(ACTOR, again)
    assert Notifier.objects.get().secrets == {"secret": "s3cr3t-new"}


def test_marks_of_the_courier() -> None:
    notifier = saved()
    services.mark_error([notifier.pk, notifier.pk], "HTTP 503", permanent=False, at=NOW)
    broken = Notifier.objects.get()
    assert (broken.error, broken.error_at, broken.error_is_permanent) == ("HTTP 503", NOW, False)
    services.mark_sent([notifier.pk], NOW)
    good = Notifier.objects.get()
    assert (good.error, good.error_at, good.sent_at) == ("", None, NOW)


def test_notifier_in_use_stays() -> None:
    notifier = saved()
    route = Route.objects.create(name="everything")
    route.notifiers.add(notifier)
    with pytest.raises(services.InUse, match="everything"):
        services.delete_notifier(ACTOR, notifier)
    assert Notifier.objects.exists()
    route.delete()
    services.delete_notifier(ACTOR, notifier)
    assert not Notifier.objects.exists()
    assert AuditEntry.objects.latest("id").action == "notifier.deleted"


def test_test_message_gives_the_real_answer() -> None:
    with WebhookReceiver() as receiver:
        notifier = hook(config={"url": receiver.url})
        receiver.answer = Answer(202, "queued as 42")
        good = services.send_test(ACTOR, notifier)
        assert (good.ok, good.answer) == (True, "HTTP 202 Accepted: queued as 42")
        body = receiver.next().json()
        assert body["reason"] == "test"
        assert "only a test" in body["alerts"][0]["output"]
        assert "sent by apply" in body["alerts"][0]["output"]
        receiver.answer = Answer(404, f"no such hook, {TOKEN}")
        bad = services.send_test(ACTOR, notifier)
        assert (bad.ok, bad.answer) == (False, "HTTP 404 Not Found: no such hook, •••")
    assert AuditEntry.objects.filter(action="notifier.tested").count() == 2


def test_test_of_an_unknown_kind_is_an_answer() -> None:
    tested = services.send_test(ACTOR, hook(kind="fax"))
    assert not tested.ok
    assert "fax" in tested.answer


def test_settings_from_a_file_get_defaults_and_keep_secrets() -> None:
    config, secrets = from_config(
        "webhook", {"url": "http://x/", "headers": None}, kept={"headers": {"A": "b"}}
    )
    assert config["method"] == "POST"
    assert config["verify_tls"] is True
    assert secrets == {"headers": {"A": "b"}}


def test_all_errors_of_a_file_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("webhook", {"url": "x", "method": "GET", "colour": "red", "verify_tls": "no"})
    assert set(caught.value.errors) == {"url", "method", "colour", "verify_tls"}
    assert caught.value.errors["colour"] == ["There is no such setting."]


def test_unknown_kind_in_a_file_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"email, .*log, .*slack, .*webhook"):
        from_config("fax", {})


def test_missing_required_settings_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("slack", {})
    assert list(caught.value.errors) == ["url"]


def test_settings_survive_the_way_out_and_in_again() -> None:
    given = {"host": "h", "sender": "a@x.org", "recipients": ["b@x.org"], "verify_tls": False}
    config, _ = from_config("email", given)
    assert from_config("email", json.loads(json.dumps(config)))[0] == config

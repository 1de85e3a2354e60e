"""Nobody runs the loops: another worker says so, and sends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import timezone

from consulops.alerts.models import Delivery
from consulops.loops.models import Lease, Supervisor, Worker
from consulops.watchdog import emergency
from tests.alerts.factories import fail, make_cluster, make_notifier, make_route
from tests.receivers import Answer, WebhookReceiver
from tests.waiting import eventually
from tests.watchdog.things import ago, hold_lease, look, open_alerts

pytestmark = pytest.mark.django_db(transaction=True)

DEAD = {"consulops:supervisor"}


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


def supervisor(seconds: float) -> None:
    """The last sign of life of a supervisor was so long ago."""
    at = ago(seconds)
    Supervisor.objects.create(owner="s", host="h", pid=1, started_at=ago(999), beat_at=at)


def ops(started: float = 999) -> None:
    """A worker of the kind that looks runs for so long."""
    values = {"process": "ops", "started_at": ago(started), "beat_at": timezone.now()}
    Worker.objects.create(host="h", pid=2, **values)


def test_while_a_supervisor_lives_nothing_happens() -> None:
    ops()
    supervisor(5)
    assert emergency.look() == "a supervisor lives"
    assert open_alerts() == set()


@pytest.mark.parametrize("started", [5.0, None], ids=["just started", "not even started"])
def test_at_the_start_of_the_product_nobody_is_missed(started: float | None) -> None:
    if started:
        ops(started)
    assert emergency.look() == "a supervisor lives"


@pytest.mark.parametrize("silent_s", [31.0, None], ids=["silent", "forgotten"])
def test_a_dead_supervisor_is_told(hook: WebhookReceiver, silent_s: float | None) -> None:
    make_route(make_notifier(url=hook.url))
    ops()
    if silent_s:
        supervisor(silent_s)
    assert emergency.look() == "delivered what was due"
    message = hook.next().json()
    assert (message["cluster"], message["alerts"][0]["check"]) == ("consulops", *DEAD)
    assert "No supervisor lives" in message["alerts"][0]["output"]
    assert Delivery.objects.get().state == "sent"
    lease = Lease.objects.get(pk="courier")
    assert lease.owner == ""
    # The next minute says nothing new.
    emergency.look()
    assert len(hook.requests) == 1
    assert open_alerts() == DEAD


def test_what_else_is_due_is_sent_too(hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    fail(make_cluster())
    ops()
    emergency.look()
    checks = {one.json()["alerts"][0]["check"] for one in hook.take(2)}
    assert checks == {"web", *DEAD}


def test_a_route_that_waits_has_its_say(hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url), wait_s=1)
    ops()
    emergency.look()
    eventually(lambda: emergency.look() and hook.requests)
    assert hook.next().json()["reason"] == "opened"


def test_a_receiver_that_fails_is_tried_again_in_a_minute(hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    hook.answer = Answer(500)
    ops()
    emergency.look()
    assert Delivery.objects.get().state == "retrying"
    hook.answer = Answer(200)
    Delivery.objects.update(next_attempt_at=timezone.now())
    emergency.look()
    assert Delivery.objects.get().state == "sent"


def test_a_receiver_that_hangs_does_not_hold_the_worker(
    hook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "SEND_S", 1.0)
    make_route(make_notifier(url=hook.url, timeout_s=120))
    hook.answer = Answer(hang=True)
    ops()
    emergency.look()
    # It was not stamped, so it is not lost.
    assert Delivery.objects.get().state == "queued"


def test_the_courier_is_left_to_who_has_it(hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    hold_lease("courier")
    ops()
    assert emergency.look() == "somebody delivers"
    assert hook.requests == []
    assert Delivery.objects.get().state == "queued"


def test_a_supervisor_that_comes_back_ends_the_alert() -> None:
    ops()
    emergency.look()
    assert open_alerts() == DEAD
    look()
    assert open_alerts() == set()

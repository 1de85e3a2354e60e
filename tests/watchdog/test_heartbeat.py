"""The dead man's switch, pinged for real on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from django.db import DatabaseError
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.core import postgres
from consulops.loops import registry
from consulops.watchdog import facts, heartbeat, services
from consulops.watchdog.models import Watchdog
from tests.alerts.factories import TEST, make_cluster
from tests.looping import RunningLoop
from tests.receivers import Answer, WebhookReceiver
from tests.waiting import eventually
from tests.watchdog.things import LONG_AGO, ago, hold_lease, state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def cluster() -> Cluster:
    """One that is watched, in a product whose courier runs."""
    cluster = make_cluster()
    state(cluster)
    hold_lease(f"checks:{cluster.pk}")
    hold_lease("courier")
    return cluster


def ping_to(hook: WebhookReceiver, **more: object) -> None:
    services.save_settings(TEST, {"heartbeat_url": hook.url, "heartbeat_every_s": 5, **more})


def troubles() -> list[str]:
    now = timezone.now()
    found = facts.read(now)
    stuck = facts.is_courier_stuck(found.terms, now)
    return heartbeat.troubles(found, stuck, now - LONG_AGO)


def test_no_trouble(cluster: Cluster) -> None:
    assert troubles() == []


def test_a_failing_cluster_is_no_trouble_of_ours(cluster: Cluster) -> None:
    state(cluster, answered_at=ago(60), probed_at=ago(60), error="Refused.")
    assert troubles() == []


def test_a_stuck_watcher_is(cluster: Cluster) -> None:
    state(cluster, answered_at=ago(60))
    (said,) = troubles()
    assert said.startswith("dc1: Consul answers, but the watcher has heard nothing since")


def test_a_courier_that_is_gone_is(cluster: Cluster) -> None:
    hold_lease("courier", expires_at=ago(100))
    assert troubles() == ["Messages are due that nobody sends."]


def test_a_ping_and_its_answer(hook: WebhookReceiver) -> None:
    hook.answer = Answer(200, "OK")
    pinged = asyncio.run(heartbeat.ping(hook.url, []))
    assert (pinged.ok, pinged.answer) == (True, "HTTP 200 OK: OK")
    request = hook.next()
    assert (request.method, request.path) == ("GET", "/hook")


def test_a_failure_and_its_reason(hook: WebhookReceiver) -> None:
    asyncio.run(heartbeat.ping(f"{hook.url}?create=1", ["dc1: größe", "and more"]))
    request = hook.next()
    assert (request.method, request.path) == ("POST", "/hook/fail?create=1")
    assert request.body.decode() == "dc1: größe\nand more"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/very-secret", "http://[/very-secret"])
def test_an_error_does_not_tell_the_address(url: str) -> None:
    pinged = asyncio.run(heartbeat.ping(url, []))
    assert not pinged.ok
    assert pinged.answer
    assert "very-secret" not in pinged.answer


def test_a_ping_that_hangs(hook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "TIMEOUT_S", 0.2)
    hook.answer = Answer(hang=True)
    assert "timed out" in asyncio.run(heartbeat.ping(hook.url, [])).answer


def test_no_loop_without_an_address(hook: WebhookReceiver) -> None:
    assert "heartbeat" not in registry.desired_keys()
    ping_to(hook)
    assert "heartbeat" in registry.desired_keys()


def test_the_loop_pings_while_all_is_well(cluster: Cluster, hook: WebhookReceiver) -> None:
    ping_to(hook)
    with RunningLoop("heartbeat"):
        assert hook.next().method == "GET"
        eventually(lambda: Watchdog.load().heartbeat_at)


def test_the_loop_falls_silent_when_the_watcher_is_stuck(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    """With a patience that is over at once: a loop that has only begun gives everybody time."""
    Watchdog.objects.all().delete()
    ping_to(hook)
    Watchdog.objects.update(unreachable_after_s=0)
    state(cluster, answered_at=ago(60))
    with RunningLoop("heartbeat"):
        error = eventually(lambda: Watchdog.load().heartbeat_error)
    assert "the watcher has heard nothing" in error
    assert hook.requests == []


def test_the_loop_tells_why_where_that_is_wanted(cluster: Cluster, hook: WebhookReceiver) -> None:
    ping_to(hook, heartbeat_tells_failure=True)
    hold_lease("courier", expires_at=ago(100))
    with RunningLoop("heartbeat"):
        request = hook.next()
        eventually(lambda: Watchdog.load().heartbeat_error)
    assert request.path == "/hook/fail"
    assert request.body == b"Messages are due that nobody sends."


def test_an_error_is_shown_and_goes_away(cluster: Cluster, hook: WebhookReceiver) -> None:
    ping_to(hook)
    hook.answer = Answer(503, "down")
    with RunningLoop("heartbeat"):
        error = eventually(lambda: Watchdog.load().heartbeat_error)
        assert "503" in error
        hook.answer = Answer(200)
        Watchdog.objects.update(heartbeat_every_s=1)
        # As a change of the settings rings.
        postgres.notify(postgres.LOOPS)
        eventually(lambda: Watchdog.load().heartbeat_error == "")


def test_no_ping_without_a_database_that_takes_writes(
    cluster: Cluster, hook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fence: object) -> None:
        raise DatabaseError("read-only")

    monkeypatch.setattr(services, "prove_writable", refuse)
    ping_to(hook)
    with pytest.raises(DatabaseError), RunningLoop("heartbeat") as running:
        running.wait()
    assert hook.requests == []

"""What is held back is looked at again when that changes, and in the right order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from consulops.alerts import lifecycle, services
from consulops.alerts.models import Alert, Delivery, Notice
from consulops.health.instances import Key, Known, _store
from consulops.health.services import Recording, store_nodes
from consulops.notifiers.services import save_notifier
from consulops.silences.models import Silence
from consulops.silences.services import expire
from tests.alerts.factories import (
    TEST,
    fail,
    make_cluster,
    make_notifier,
    make_route,
    mend,
    observation,
    see,
)

# A Thursday.
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOMORROW = [{"days": ["fri"], "begin": "08:00", "end": "17:00", "timezone": "UTC"}]


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def told() -> list[str]:
    """Reason and checks of each message, in order."""
    return [
        " ".join([one.reason, *(alert["check"] for alert in one.message["alerts"])])
        for one in Delivery.objects.order_by("pk")
    ]


# What decisions rest on


@pytest.mark.django_db
def test_a_notifier_that_is_switched_on_hears_of_what_is_open() -> None:
    hook = make_notifier(enabled=False)
    make_route(hook)
    fail(make_cluster())
    assert told() == []
    hook.enabled = True
    save_notifier(TEST, hook)
    assert told() == ["opened web"]


@pytest.mark.django_db
def test_the_meta_of_a_node_that_is_learnt_later_counts() -> None:
    cluster = make_cluster()
    make_route(make_notifier(), match={"node_meta": {"rack": "r7"}})
    fail(cluster)
    where = Recording(cluster, lambda: None)
    for rack in ("r6", "r7", "r7"):
        store_nodes(where, [{"Node": "n1", "Address": "10.0.0.1", "Meta": {"rack": rack}}])
    assert told() == ["opened web"]


@pytest.mark.django_db
def test_the_meta_of_an_instance_that_is_learnt_later_counts() -> None:
    cluster = make_cluster()
    make_route(make_notifier(), match={"service_meta": {"team": "pay"}})
    fail(cluster)
    fail(cluster, node="n2")
    changed: dict[Key, Known] = {("n1", "web-1"): Known("web", {"team": "pay"})}
    _store(lambda: None, cluster.pk, changed, set())
    assert told() == ["opened web"]
    assert Delivery.objects.get().message["alerts"][0]["node"] == "n1"


@pytest.mark.django_db
def test_a_node_whose_route_sleeps_does_not_speak_for_those_of_another(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), "nodes", match={"check": "serfHealth"}, active_hours=TOMORROW)
    make_route(make_notifier("pager"), "rest")
    serf = observation("serfHealth", service="", service_id="")
    see(cluster, serf, observation())
    assert told() == ["opened web"]
    clock.move_to(datetime(2026, 1, 2, 8, tzinfo=UTC))
    lifecycle.evaluate_due()
    assert told() == ["opened web", "opened serfHealth"]
    # What was told in its hours speaks also after them.
    clock.move_to(datetime(2026, 1, 2, 18, tzinfo=UTC))
    fail(cluster, "api")
    assert told() == ["opened web", "opened serfHealth"]


@pytest.mark.django_db
def test_a_check_flaps_no_longer_than_it_rests_when_that_is_switched_off(clock: Any) -> None:
    cluster = make_cluster()
    for _ in range(3):
        fail(cluster)
        mend(cluster)
    fail(cluster)
    services.save_noise(TEST, {"flap_changes": 0})
    for status in ("warning", "critical", "warning"):
        clock.shift(timedelta(seconds=150))
        fail(cluster, status=status)
        lifecycle.evaluate_due()
    assert Alert.objects.get(resolved_at__isnull=True).stable_at is None


# Ends that wait


@pytest.mark.django_db
def test_an_end_that_waits_is_told_before_the_next_failure(clock: Any) -> None:
    cluster, hook = make_cluster(), make_notifier()
    route = make_route(hook)
    fail(cluster)
    services.save_route(TEST, route.name, {"active_hours": TOMORROW}, [hook], route)
    mend(cluster)
    fail(cluster)
    assert told() == ["opened web"]
    services.save_route(TEST, route.name, {"active_hours": []}, [hook], route)
    assert told() == ["opened web", "resolved web", "opened web"]
    assert not Notice.objects.filter(due_at__isnull=False).exists()


@pytest.mark.django_db
def test_a_group_tells_of_ends_before_it_tells_of_failures(clock: Any) -> None:
    cluster, hook = make_cluster(), make_notifier()
    make_route(hook, group_by=["cluster"], group_wait_s=30)
    fail(cluster, "api", status="warning")
    fail(cluster)
    clock.shift(timedelta(seconds=30))
    lifecycle.evaluate_due()
    # "api" comes first in the next message, and "web" fails anew before its end was told.
    fail(cluster, "api")
    mend(cluster)
    fail(cluster)
    clock.shift(timedelta(seconds=30))
    lifecycle.evaluate_due()
    assert told()[1:] == ["resolved web", "changed api", "opened web"]


# Several at once


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Does this in a transaction and thread of its own, while the caller's is not yet over."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        yield
        thread.start()
        # Either it is done, or it waits for us.
        _wait_until(lambda: not thread.is_alive() or _somebody_waits())
    thread.join()


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(500):
        if is_so():
            return
        deadline.wait(0.02)
    raise AssertionError("it neither ends nor waits")


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


@pytest.mark.django_db(transaction=True)
def test_a_route_that_is_made_while_a_failure_is_recorded_hears_of_it() -> None:
    cluster, hook = make_cluster(), make_notifier()
    with meanwhile(lambda: make_route(hook)):
        fail(cluster)
    assert told() == ["opened web"]


@pytest.mark.django_db(transaction=True)
def test_a_silence_that_ends_while_a_failure_is_recorded_holds_it_no_longer() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    quiet = Silence.objects.create(match={"service": "web"}, comment="x", author_name="ada")
    with meanwhile(lambda: expire(TEST, quiet)):
        fail(cluster)
    assert told() == ["opened web"]


@pytest.mark.django_db(transaction=True)
def test_maintenance_that_ends_while_a_failure_is_recorded_holds_it_no_longer() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    see(cluster, observation("_node_maintenance", "maintenance", service="", service_id=""))
    with meanwhile(lambda: see(cluster, gone=(("n1", "_node_maintenance"),))):
        fail(cluster)
    assert told() == ["opened web"]


@pytest.mark.django_db(transaction=True)
def test_routes_are_moved_while_failures_are_recorded() -> None:
    cluster, hook = make_cluster(), make_notifier()
    make_route(hook, "first", match={"service": "web"})
    second = make_route(hook, "second")
    fail(cluster)
    # Neither stands in the way of the other.
    with meanwhile(lambda: services.move_route(TEST, second, up=True)):
        fail(cluster, status="warning")
        fail(cluster, "api")
    assert Alert.objects.filter(resolved_at__isnull=True).count() == 2

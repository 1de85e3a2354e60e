"""What keeps many failures from becoming many messages: silences, inhibition, flapping, hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from consulops.alerts import lifecycle, services
from consulops.alerts.models import Alert, Delivery, Notice
from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.health import services as health
from consulops.health.models import Check, Node, Source
from consulops.health.observation import Observation
from consulops.silences.models import Silence
from consulops.silences.signals import silences_changed
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

pytestmark = pytest.mark.django_db

# A Thursday.
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def told() -> list[str]:
    """Reason and status of each message, in order."""
    return [
        f"{one.reason} {one.message['alerts'][0]['check']} {one.message['alerts'][0]['status']}"
        for one in Delivery.objects.order_by("pk")
    ]


def last_verdict(**which: Any) -> str:
    verdict = Notice.objects.get(**which).verdicts[-1]
    return f"{verdict['stage']} {verdict['outcome']}: {verdict['reason']}"


def silence(**match: Any) -> Silence:
    return Silence.objects.create(
        match=match,
        comment="migration",
        author_name="ada",
        starts_at=NOW - timedelta(hours=1),
        ends_at=NOW + timedelta(hours=1),
    )


def node_down(node: str = "n1", status: str = "critical") -> Observation:
    return observation("serfHealth", status, node, service="", service_id="")


def unreachable(cluster: Cluster, status: Status) -> None:
    one = Observation("", "consulops:unreachable", "Unreachable", "", "", (), status, "", "", 0)
    where = health.Recording(cluster, lambda: None, source=Source.CONSULOPS)
    health.record(where, [one])


# Silences


def test_what_is_silenced_is_told_when_the_silence_is_over(clock: Any) -> None:
    make_route(make_notifier())
    one = silence(service="web")
    fail(make_cluster())
    assert told() == []
    assert last_verdict() == f"silence held: silence #{one.pk} by ada: migration"
    clock.shift(timedelta(minutes=61))
    lifecycle.evaluate_due()
    assert told() == ["opened web critical"]


def test_who_heard_of_a_failure_hears_of_its_end_though_it_is_silenced(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    silence(service="web")
    mend(cluster)
    assert told() == ["opened web critical", "resolved web passing"]


def test_a_failure_that_ends_silenced_is_never_told(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    silence(service="web")
    fail(cluster)
    mend(cluster)
    assert told() == []


def test_a_silence_that_is_taken_back_lets_open_alerts_speak(clock: Any) -> None:
    make_route(make_notifier())
    one = silence(service="web")
    fail(make_cluster())
    one.delete()
    silences_changed.send(sender=Silence)
    assert told() == ["opened web critical"]


def test_only_what_a_silence_means_is_silent(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    silence(service="web", status=["warning"])
    fail(cluster)
    fail(cluster, "api", "warning")
    assert told() == ["opened web critical", "opened api warning"]


def test_silences_and_routes_look_at_the_meta_of_nodes(clock: Any) -> None:
    cluster = make_cluster()
    Node.objects.create(cluster=cluster, name="n1", meta={"rack": "r7"})
    make_route(make_notifier(), match={"node_meta": {"rack": "r[0-9]"}})
    fail(cluster)
    fail(cluster, node="n2")
    assert told() == ["opened web critical"]
    silence(node_meta={"rack": "r7"})
    fail(cluster, "api")
    assert told() == ["opened web critical"]


# A larger failure speaks for smaller ones


def test_a_node_that_is_down_speaks_for_what_runs_on_it() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    see(cluster, node_down(), observation("web"))
    fail(cluster, "api", node="n2")
    assert told() == ["opened serfHealth critical", "opened api critical"]
    notice = {"alert__check_ref__check_id": "web"}
    assert "inhibition held: the node n1 is down" in last_verdict(**notice)
    # What still fails when the node is back is told then.
    see(cluster, node_down(status="passing"))
    assert told()[2:] == ["resolved serfHealth passing", "opened web critical"]


def test_a_node_of_which_nobody_hears_speaks_for_nothing() -> None:
    cluster = make_cluster()
    make_route(make_notifier(), match={"service": "web"})
    see(cluster, node_down(), observation("web"))
    assert told() == ["opened web critical"]


def test_inhibition_can_be_switched_off() -> None:
    services.save_noise(TEST, {"inhibit_by_node": False})
    make_route(make_notifier())
    see(make_cluster(), node_down(), observation("web"))
    assert sorted(told()) == ["opened serfHealth critical", "opened web critical"]


def test_an_unreachable_cluster_speaks_for_everything_in_it(clock: Any) -> None:
    cluster, other = make_cluster(), make_cluster("dc2")
    make_route(make_notifier(), remind_every_s=600)
    fail(cluster)
    unreachable(cluster, Status.CRITICAL)
    clock.shift(timedelta(minutes=11))
    lifecycle.evaluate_due()
    fail(other)
    assert told() == [
        "opened web critical",
        "opened consulops:unreachable critical",
        "reminder consulops:unreachable critical",
        "opened web critical",
    ]
    unreachable(cluster, Status.PASSING)
    assert told()[4:] == ["resolved consulops:unreachable passing", "reminder web critical"]


def test_checks_of_our_own_are_not_among_consuls() -> None:
    cluster = make_cluster()
    unreachable(cluster, Status.CRITICAL)
    assert not Check.objects.exists()
    assert Alert.objects.get().check_ref.check_id == "consulops:unreachable"


# Flapping


def flap(cluster: Cluster, clock: Any, times: int) -> None:
    for _ in range(times):
        fail(cluster)
        clock.shift(timedelta(seconds=10))
        mend(cluster)
        clock.shift(timedelta(seconds=10))


def test_a_check_that_flaps_is_told_once_as_such_and_then_rests(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), remind_every_s=60)
    flap(cluster, clock, 10)
    assert told() == [
        *["opened web critical", "resolved web passing"] * 2,
        "opened web critical",
        "flapping web critical",
    ]
    alert = Alert.objects.get(resolved_at__isnull=True)
    assert alert.flapping_since is not None
    assert last_verdict(alert=alert).startswith("flapping held: it flaps")
    # Quiet while it changes, and for five minutes after.
    clock.shift(timedelta(seconds=280))
    lifecycle.evaluate_due()
    assert len(told()) == 6
    clock.shift(timedelta(seconds=20))
    lifecycle.evaluate_due()
    assert told()[6:] == ["resolved web passing"]
    alert.refresh_from_db()
    assert alert.resolved_at is not None


def test_a_check_that_rests_failing_is_told_so(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    flap(cluster, clock, 3)
    fail(cluster, status="warning")
    clock.shift(timedelta(seconds=301))
    lifecycle.evaluate_due()
    assert told()[-2:] == ["flapping web critical", "changed web warning"]


def test_flapping_is_settled_though_no_route_means_the_check(clock: Any) -> None:
    cluster = make_cluster()
    flap(cluster, clock, 5)
    clock.shift(timedelta(seconds=301))
    lifecycle.evaluate_due()
    assert not Alert.objects.filter(resolved_at__isnull=True).exists()


def test_a_deregistered_check_flaps_no_more(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    flap(cluster, clock, 3)
    see(cluster, gone=(("n1", "web"),))
    assert told()[-1] == "resolved web gone"
    assert not Alert.objects.filter(resolved_at__isnull=True).exists()


def test_slow_changes_are_no_flapping_and_it_can_be_switched_off(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    for _ in range(5):
        fail(cluster)
        clock.shift(timedelta(minutes=3))
        mend(cluster)
        clock.shift(timedelta(minutes=3))
    services.save_noise(TEST, {"flap_changes": 0})
    flap(cluster, clock, 5)
    assert len(told()) == 20
    assert not any(one.startswith("flapping") for one in told())


# Hours, escalation, groups


def test_outside_its_hours_a_route_keeps_quiet_and_tells_later_what_still_holds(clock: Any) -> None:
    cluster = make_cluster()
    hours = [{"days": ["fri"], "begin": "08:00", "end": "17:00", "timezone": "UTC"}]
    make_route(make_notifier(), active_hours=hours)
    fail(cluster)
    fail(cluster, "api")
    assert told() == []
    mend(cluster, "api")
    clock.move_to(datetime(2026, 1, 2, 8, tzinfo=UTC))
    lifecycle.evaluate_due()
    assert told() == ["opened web critical"]


def test_those_who_come_next_are_told_when_nobody_acknowledges(clock: Any) -> None:
    cluster, hook, boss = make_cluster(), make_notifier(), make_notifier("boss")
    terms = {"escalate_after_s": 600, "remind_every_s": 900}
    services.save_route(TEST, "everything", terms, [hook], escalate_to=[boss])
    fail(cluster)
    clock.shift(timedelta(seconds=601))
    lifecycle.evaluate_due()
    clock.shift(timedelta(seconds=300))
    lifecycle.evaluate_due()
    mend(cluster)
    rows = Delivery.objects.order_by("pk").values_list("reason", "notifier_name")
    assert list(rows) == [
        ("opened", "hook"),
        ("escalated", "boss"),
        ("reminder", "hook"),
        ("reminder", "boss"),
        ("resolved", "hook"),
        ("resolved", "boss"),
    ]


def test_what_somebody_looks_after_does_not_escalate(clock: Any) -> None:
    cluster, boss = make_cluster(), make_notifier("boss")
    services.save_route(
        TEST, "everything", {"escalate_after_s": 600}, [make_notifier()], escalate_to=[boss]
    )
    fail(cluster)
    services.acknowledge(TEST, list(Alert.objects.all()), "")
    clock.shift(timedelta(seconds=601))
    lifecycle.evaluate_due()
    mend(cluster)
    assert not Delivery.objects.filter(notifier=boss).exists()


def test_a_group_that_was_told_waits_for_its_interval(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), group_by=["service"], group_interval_s=300)
    fail(cluster)
    clock.shift(timedelta(seconds=10))
    fail(cluster, "web", node="n2")
    fail(cluster, "web", node="n3")
    assert told() == ["opened web critical"]
    clock.shift(timedelta(seconds=290))
    lifecycle.evaluate_due()
    assert [len(one.message["alerts"]) for one in Delivery.objects.order_by("pk")] == [1, 2]

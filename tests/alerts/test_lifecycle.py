"""The finer rules of an alert's life: flapping, unknown, groups, who comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.alerts import lifecycle, services
from consulops.alerts.models import Alert, Delivery, Notice
from consulops.alerts.surroundings import Surroundings
from consulops.alerts.table import Table
from consulops.clusters.models import Cluster
from consulops.health.models import Node
from consulops.silences.models import Silence
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

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def told() -> list[str]:
    rows = Delivery.objects.order_by("pk")
    return [f"{one.reason} {one.message['alerts'][0]['status']}" for one in rows]


def after(clock: Any, seconds: int) -> None:
    clock.shift(timedelta(seconds=seconds))
    lifecycle.evaluate_due()


def change(cluster: Cluster, *statuses: str) -> None:
    for status in statuses:
        see(cluster, observation(status=status))


def silence(hours: int | None, **match: Any) -> None:
    ends_at = NOW + timedelta(hours=hours) if hours else None
    Silence.objects.create(
        match=match, comment="x", author_name="ada", starts_at=NOW, ends_at=ends_at
    )


# Unknown and flapping


def test_unknown_is_neither_worse_nor_over() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    change(cluster, "critical", "unknown", "critical")
    assert told() == ["opened critical"]
    change(cluster, "unknown", "passing")
    assert told() == ["opened critical", "resolved passing"]


def test_what_flaps_and_rests_unknown_is_not_over(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    change(cluster, "critical", "warning", "critical", "warning", "critical", "warning", "unknown")
    after(clock, 301)
    alert = Alert.objects.get()
    assert (alert.status, alert.resolved_at, alert.stable_at) == ("warning", None, None)
    assert told()[-2:] == ["flapping warning", "changed warning"]


def test_an_alert_may_begin_as_one_that_flaps() -> None:
    cluster = make_cluster()
    change(cluster, "critical", "warning", "passing", "critical", "passing")
    make_route(make_notifier())
    change(cluster, "critical")
    assert told() == ["flapping critical"]


def test_the_same_failure_again_is_no_rest(clock: Any) -> None:
    cluster = make_cluster()
    change(cluster, *["critical", "passing"] * 3)
    after(clock, 290)
    change(cluster, "critical")
    after(clock, 20)
    assert Alert.objects.get(resolved_at__isnull=True).stable_at == NOW + timedelta(seconds=590)


def test_what_flaps_has_to_last_from_when_it_began_to(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), wait_s=60)
    change(cluster, *["critical", "passing"] * 3)
    for status in ("critical", "warning", "critical"):
        after(clock, 20)
        change(cluster, status)
    assert told() == ["flapping warning"]


# Around them


def test_many_nodes_that_are_down_are_looked_at_together(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    nodes = [f"n{number}" for number in range(9)]
    down = [observation("serfHealth", node=one, service="", service_id="") for one in nodes]
    see(cluster, *down, *(observation(node=one) for one in nodes))
    alerts = list(Alert.objects.select_related("check_ref", "cluster"))
    table = Table.load(timezone.now())
    with django_assert_num_queries(1):
        assert len(Surroundings.of(alerts, table).nodes_down) == 9


# Groups


def test_a_group_waits_no_longer_because_one_of_it_changes(clock: Any) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), group_by=["service"], group_wait_s=10)
    change(cluster, "critical")
    after(clock, 6)
    change(cluster, "warning")
    after(clock, 4)
    assert told() == ["opened warning"]


def test_a_group_never_spans_clusters(clock: Any) -> None:
    make_route(make_notifier(), group_by=["service"], group_wait_s=10)
    for name in ("dc1", "dc2"):
        fail(make_cluster(name))
    after(clock, 10)
    assert sorted(one.message["cluster"] for one in Delivery.objects.all()) == ["dc1", "dc2"]


def test_one_check_keeps_to_one_lane() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    change(cluster, "critical", "passing", "critical")
    fail(cluster, "api")
    lanes = list(Delivery.objects.order_by("pk").values_list("lane", flat=True))
    assert len(set(lanes[:3])) == 1
    assert lanes[3] != lanes[0]


# Who comes next, and who asked for quiet


def test_escalation_counts_from_the_first_message_on(clock: Any) -> None:
    cluster, boss = make_cluster(), make_notifier("boss")
    services.save_route(
        TEST, "all", {"escalate_after_s": 600}, [make_notifier()], escalate_to=[boss]
    )
    change(cluster, "critical")
    after(clock, 500)
    change(cluster, "warning")
    after(clock, 100)
    assert told() == ["opened critical", "changed warning", "escalated warning"]


def test_of_several_silences_the_longest_counts(clock: Any) -> None:
    make_route(make_notifier())
    for hours in (1, 3, 2):
        silence(hours, service="web")
    fail(make_cluster())
    assert Notice.objects.get().due_at == NOW + timedelta(hours=3)
    silence(None, service="web")
    lifecycle.look_again()
    assert Notice.objects.get().due_at is None


def test_a_silence_may_look_at_meta_that_no_route_looks_at(clock: Any) -> None:
    cluster = make_cluster()
    Node.objects.create(cluster=cluster, name="n1", meta={"rack": "r7"})
    make_route(make_notifier())
    silence(1, node_meta={"rack": "r7"})
    fail(cluster)
    assert told() == []
    mend(cluster)
    assert told() == []

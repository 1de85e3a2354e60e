"""From recorded changes to alerts, notices and deliveries, in one transaction."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry, User
from consulops.alerts import lifecycle, services
from consulops.alerts.models import Alert, Delivery, Notice, Reason, Route
from consulops.health.models import Check, CheckHour, Transition
from consulops.loops.context import LeaseLost
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


def reasons() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("reason", flat=True))


def verdicts(route: Route | None = None) -> list[str]:
    notice = Notice.objects.get(**({"route": route} if route else {}))
    return [f"{verdict['stage']}: {verdict['reason']}" for verdict in notice.verdicts]


def test_a_failure_opens_one_alert_and_one_message_for_each_notifier() -> None:
    cluster, hook = make_cluster(), make_notifier()
    route = make_route(hook)
    services.save_route(TEST, route.name, {}, [hook, make_notifier("other")], route)
    fail(cluster)
    alert = Alert.objects.get()
    assert (alert.status, alert.resolved_at) == ("critical", None)
    assert reasons() == ["opened", "opened"]
    delivery = Delivery.objects.earliest("pk")
    assert list(delivery.alerts.all()) == [alert]
    assert delivery.message["alerts"][0]["url"].endswith(f"/alerts/{alert.pk}/")
    assert delivery.message["id"] == str(delivery.key)


def test_a_recovery_resolves_the_alert_and_says_what_was_before() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    mend(cluster)
    alert = Alert.objects.get()
    assert alert.resolved_at is not None
    assert reasons() == ["opened", "resolved"]
    message = Delivery.objects.latest("pk").message["alerts"][0]
    assert (message["status"], message["previous"]) == ("passing", "critical")
    assert message["output"] == "it is passing"


def test_the_next_failure_is_another_alert() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    for _ in range(2):
        fail(cluster)
        mend(cluster)
    assert Alert.objects.count() == 2
    assert reasons() == ["opened", "resolved"] * 2


def test_a_deregistered_check_closes_its_alert_as_gone() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    see(cluster, gone=(("n1", "web"),))
    assert Check.objects.get().status == Alert.objects.get().status == "gone"
    assert Delivery.objects.latest("pk").message["alerts"][0]["status"] == "gone"


def test_a_change_between_failing_states_keeps_the_alert() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    fail(cluster, status="warning")
    assert Alert.objects.get().status == "warning"
    assert reasons() == ["opened", "changed"]


def test_an_unknown_state_neither_ends_an_alert_nor_is_green() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    see(cluster, observation(status="unknown"))
    assert Check.objects.get().status == "unknown"
    assert Alert.objects.get().resolved_at is None
    assert reasons() == ["opened"]


def test_without_a_route_the_alert_is_there_all_the_same() -> None:
    fail(make_cluster())
    assert Alert.objects.count() == 1
    assert not Delivery.objects.exists()


def test_only_the_first_route_that_matches_speaks_unless_it_continues() -> None:
    cluster, hook = make_cluster(), make_notifier()
    first = make_route(hook, "web", match={"service": "web"})
    make_route(hook, "rest")
    fail(cluster)
    assert list(Delivery.objects.values_list("route_name", flat=True)) == ["web"]
    services.save_route(TEST, "web", {"continues": True}, [hook], first)
    fail(cluster, "api")
    fail(cluster, node="n2")
    told = list(Delivery.objects.order_by("pk").values_list("route_name", flat=True))
    # The first alert becomes news for "rest" too when "web" begins to continue.
    assert told == ["web", "rest", "rest", "web", "rest"]


def test_a_new_route_hears_of_what_is_failing_already() -> None:
    fail(make_cluster())
    make_route(make_notifier())
    assert reasons() == ["opened"]


def test_a_notifier_that_comes_later_hears_of_what_is_open() -> None:
    cluster, hook = make_cluster(), make_notifier()
    route = services.save_route(TEST, "everything", {}, [])[0]
    fail(cluster)
    assert reasons() == []
    services.save_route(TEST, route.name, {}, [hook], route)
    assert reasons() == ["opened"]


def test_waits_reminders_and_their_end() -> None:
    cluster = make_cluster()
    route = make_route(make_notifier(), wait_s=30, remind_every_s=600)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(cluster)
        assert reasons() == []
        assert "wait: critical must last 30 s before it counts" in verdicts(route)
        clock.shift(timedelta(seconds=31))
        assert lifecycle.evaluate_due() == 1
        assert reasons() == ["opened"]
        clock.shift(timedelta(seconds=601))
        lifecycle.evaluate_due()
        assert reasons() == ["opened", "reminder"]
        assert lifecycle.evaluate_due() == 0
        mend(cluster)
        clock.shift(timedelta(hours=2))
        assert lifecycle.evaluate_due() == 0
    assert reasons() == ["opened", "reminder", "resolved"]


def test_an_acknowledged_alert_is_quiet_until_that_is_taken_back(operator: User) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), remind_every_s=60)
    otto = Actor(operator, "otto")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(cluster)
        alert = Alert.objects.get()
        assert services.acknowledge(otto, [alert], "on it") == [alert]
        assert services.acknowledge(otto, [alert], "again") == []
        clock.shift(timedelta(seconds=61))
        lifecycle.evaluate_due()
        assert reasons() == ["opened"]
        assert verdicts()[-1] == "news: acknowledged by otto: no reminder"
        alert.refresh_from_db()
        assert alert.comment == "on it"
        services.unacknowledge(otto, alert)
    assert reasons() == ["opened", "reminder"]
    assert list(AuditEntry.objects.filter(action__startswith="alert.").values_list("action")) == [
        ("alert.unacknowledged",),
        ("alert.acknowledged",),
    ]


def test_grouped_alerts_share_a_message() -> None:
    cluster = make_cluster()
    make_route(make_notifier(), group_by=["service"])
    see(cluster, *(observation("web", node=f"n{n}") for n in range(3)), observation("api"))
    assert sorted(len(one.message["alerts"]) for one in Delivery.objects.all()) == [1, 3]


def test_a_group_waits_for_those_that_come_a_little_later() -> None:
    cluster = make_cluster()
    make_route(make_notifier(), group_by=["cluster"], group_wait_s=10)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(cluster, "web")
        clock.shift(timedelta(seconds=6))
        fail(cluster, "api")
        assert not Delivery.objects.exists()
        clock.shift(timedelta(seconds=5))
        lifecycle.evaluate_due()
        (delivery,) = Delivery.objects.all()
        assert {one["check"] for one in delivery.message["alerts"]} == {"web", "api"}
        assert lifecycle.evaluate_due() == 0


def test_maintenance_of_a_node_holds_its_alerts_back_until_it_ends() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    rest = observation("_node_maintenance", "maintenance", service_id="", service="")
    see(cluster, rest)
    fail(cluster)
    fail(cluster, "api", node="n2")
    assert [one.message["alerts"][0]["node"] for one in Delivery.objects.all()] == ["n2"]
    held = Notice.objects.get(alert__check_ref__node="n1")
    assert held.verdicts[-1]["reason"] == "the node n1 is in maintenance"
    see(cluster, gone=(("n1", "_node_maintenance"),))
    assert reasons() == ["opened", "opened"]


def test_maintenance_of_a_service_holds_only_its_own_checks_back() -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    see(cluster, observation("_service_maintenance:web-1", "maintenance", service_id="web-1"))
    fail(cluster)
    fail(cluster, "api")
    assert [one.message["alerts"][0]["check"] for one in Delivery.objects.all()] == ["api"]
    # Who fails while in maintenance and recovers in it is nobody's business.
    mend(cluster)
    assert reasons() == ["opened"]


def test_a_worker_that_lost_its_lease_writes_nothing() -> None:
    cluster = make_cluster()
    make_route(make_notifier())

    def fence() -> None:
        raise LeaseLost("test")

    from consulops.health.services import Recording, record

    with pytest.raises(LeaseLost), transaction.atomic():
        record(Recording(cluster, fence), [observation()])
    assert not Check.objects.exists()
    assert not Transition.objects.exists()
    assert not Delivery.objects.exists()


def test_an_output_that_changes_is_kept_without_a_transition() -> None:
    cluster = make_cluster()
    fail(cluster)
    since = Check.objects.get().since
    fail(cluster, output="worse")
    check = Check.objects.get()
    assert (check.output, check.since) == ("worse", since)
    assert Transition.objects.count() == 1


def test_time_in_a_failing_state_is_added_to_its_hours() -> None:
    cluster = make_cluster()
    with time_machine.travel("2026-01-01T11:50:00Z", tick=False) as clock:
        fail(cluster)
        clock.shift(timedelta(minutes=15))
        mend(cluster)
        fail(cluster)
        clock.shift(timedelta(minutes=5))
        mend(cluster)
    hours = CheckHour.objects.order_by("hour").values_list("hour__hour", "critical_s")
    assert list(hours) == [(11, 600.0), (12, 600.0)]


def test_a_new_check_that_passes_makes_no_history() -> None:
    mend(make_cluster())
    assert Check.objects.get().status == "passing"
    assert not Transition.objects.exists()


def test_a_disabled_notifier_gets_nothing_and_its_route_goes_on() -> None:
    cluster, quiet = make_cluster(), make_notifier("quiet", enabled=False)
    route = make_route(quiet)
    services.save_route(TEST, route.name, {}, [quiet, make_notifier()], route)
    fail(cluster)
    assert list(Delivery.objects.values_list("notifier_name", flat=True)) == ["hook"]


def test_a_disabled_route_is_left_alone_and_its_due_times_do_not_spin() -> None:
    cluster, hook = make_cluster(), make_notifier()
    route = make_route(hook, wait_s=5)
    fail(cluster)
    services.save_route(TEST, route.name, {"enabled": False}, [hook], route)
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert lifecycle.evaluate_due() == 0
    assert reasons() == []


def test_moving_a_route_changes_who_speaks() -> None:
    cluster, hook = make_cluster(), make_notifier()
    make_route(hook, "first")
    second = make_route(hook, "second")
    services.move_route(TEST, second, up=True)
    fail(cluster)
    assert list(Delivery.objects.values_list("route_name", flat=True)) == ["second"]


def test_a_deleted_route_leaves_its_history() -> None:
    cluster = make_cluster()
    route = make_route(make_notifier())
    fail(cluster)
    services.delete_route(TEST, route)
    assert Notice.objects.get().route_name == "everything"
    assert Delivery.objects.get().reason == Reason.OPENED


def test_saving_a_route_unchanged_says_so() -> None:
    hook = make_notifier()
    route = make_route(hook, wait_s=5)
    assert services.save_route(TEST, route.name, {"wait_s": 5}, [hook], route)[1] == []
    changed = services.save_route(TEST, route.name, {"wait_s": 6}, [hook], route)[1]
    assert changed == ["wait_s"]
    assert AuditEntry.objects.latest("pk").detail["changed"]["wait_s"] == {"from": 5, "to": 6}


def test_old_history_is_forgotten_and_what_is_open_stays() -> None:
    from consulops.health import services as health

    cluster = make_cluster()
    make_route(make_notifier())
    with time_machine.travel(timezone.now() - timedelta(days=500)):
        fail(cluster, "old")
        mend(cluster, "old")
        fail(cluster, "still")
    Delivery.objects.update(state="sent")
    services.prune(timezone.now())
    health.prune(timezone.now())
    assert [alert.check_ref.check_id for alert in Alert.objects.all()] == ["still"]
    assert not Delivery.objects.exists()
    assert not Transition.objects.exists()
    assert Check.objects.count() == 2

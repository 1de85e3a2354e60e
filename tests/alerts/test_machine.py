"""Whatever happens in whatever order: what alerting owes to those whom it tells.

A machine lets checks fail and recover, nodes go down, people silence and acknowledge, and a route
change its terms. After each step it holds the messages against what the world is like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consulops.alerts import lifecycle, services
from consulops.alerts.models import Alert, Delivery, Notice
from consulops.core import windows
from consulops.core.status import FAILING
from consulops.health.models import Check
from consulops.silences import services as silences
from consulops.silences.guards import Wanted
from consulops.silences.models import Silence
from tests.alerts.factories import TEST, make_cluster, make_notifier, observation, see

# A Thursday.
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NODES, SERVICES = ("n1", "n2"), ("web", "db")
OFFICE = [{"days": ["thu"], "begin": "12:10", "end": "23:00", "timezone": "UTC"}]
PLAIN: Mapping[str, Any] = {
    "match": {},
    "wait_s": 0,
    "remind_every_s": 0,
    "group_by": [],
    "group_wait_s": 0,
    "group_interval_s": 0,
    "active_hours": [],
    "escalate_after_s": 0,
}
TERMS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "waits": {"wait_s": 60},
    "reminds": {"remind_every_s": 300},
    "sleeps": {"active_hours": OFFICE, "remind_every_s": 300},
    "escalates": {"escalate_after_s": 120, "remind_every_s": 300},
    "groups": {"group_by": ["service"], "group_wait_s": 30, "group_interval_s": 120},
    "groups all": {"group_by": ["cluster"], "group_wait_s": 30, "escalate_after_s": 120},
    "means critical": {"match": {"status": ["critical"]}, "wait_s": 30},
    "means web": {"match": {"service": "web"}},
}
# The longest that any of it waits, with the time that a check needs to be stable again.
LONGEST = timedelta(seconds=1000)

# Of one alert and notifier: reason, what was told, and when.
Story = list[tuple[str, str, datetime]]

node = st.sampled_from(NODES)
service = st.sampled_from(SERVICES)


class Alerting(RuleBasedStateMachine):
    """A cluster, a route with somebody to tell and somebody who comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.travel = time_machine.travel(NOW, tick=False)
        self.clock = self.travel.start()
        self.cluster = make_cluster()
        self.hook, self.boss = make_notifier("hook"), make_notifier("boss")
        self.route = services.save_route(TEST, "all", PLAIN, [self.hook], escalate_to=[self.boss])[
            0
        ]
        services.save_noise(TEST, {"flap_changes": 5, "flap_rest_s": 200})
        self.seen = 0
        self.inhibits = True

    def teardown(self) -> None:
        try:
            self._after_all_it_was_told()
        finally:
            self.travel.stop()
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    # What may happen

    @rule(node=node, service=service, status=st.sampled_from(["critical", "warning"]))
    def fails(self, node: str, service: str, status: str) -> None:
        see(self.cluster, observation(service, status, node))

    @rule(node=node, service=service, status=st.sampled_from(["passing", "passing", "unknown"]))
    def ends(self, node: str, service: str, status: str) -> None:
        see(self.cluster, observation(service, status, node))

    @rule(node=node, status=st.sampled_from(["critical", "passing"]))
    def goes_down_or_up(self, node: str, status: str) -> None:
        see(self.cluster, observation("serfHealth", status, node, service="", service_id=""))

    @rule(node=node, up=st.booleans())
    def fails_as_a_whole(self, node: str, up: bool) -> None:
        status = "passing" if up else "critical"
        serf = observation("serfHealth", status, node, service="", service_id="")
        see(self.cluster, serf, *(observation(name, status, node) for name in SERVICES))

    @rule(node=node, check=st.sampled_from([*SERVICES, "serfHealth", "_node_maintenance"]))
    def is_deregistered(self, node: str, check: str) -> None:
        if self._status(node, check) not in ("", "gone"):
            see(self.cluster, gone=((node, check),))

    @rule(node=node)
    def begins_maintenance(self, node: str) -> None:
        rest = observation("_node_maintenance", "maintenance", node, service="", service_id="")
        see(self.cluster, rest)

    @rule(service=service, lasts_s=st.sampled_from([100, 400, 4000]))
    def is_silenced(self, service: str, lasts_s: int) -> None:
        now = timezone.now()
        until = now + timedelta(seconds=lasts_s)
        silences.create(TEST, Wanted({"service": service}, "quiet", now, until, []))

    @precondition(lambda self: self._silences())
    @rule()
    def speaks_again(self) -> None:
        silences.expire(TEST, self._silences()[0])

    @precondition(lambda self: Alert.objects.unacknowledged().exists())
    @rule(number=st.integers(0, 9))
    def is_acknowledged(self, number: int) -> None:
        found = list(Alert.objects.unacknowledged().order_by("pk"))
        services.acknowledge(TEST, [found[number % len(found)]], "")

    @precondition(lambda self: Alert.objects.acknowledged().exists())
    @rule()
    def is_nobodys_again(self) -> None:
        services.unacknowledge(TEST, Alert.objects.acknowledged().earliest("pk"))

    @rule(name=st.sampled_from(sorted(TERMS)))
    def changes_its_terms(self, name: str) -> None:
        values = {**PLAIN, **TERMS[name]}
        self.route = services.save_route(TEST, "all", values, [self.hook], self.route)[0]

    @rule()
    def changes_what_is_noise(self) -> None:
        self.inhibits = not self.inhibits
        services.save_noise(TEST, {"inhibit_by_node": self.inhibits})

    @rule(seconds=st.sampled_from([5, 31, 61, 121, 301, 700]))
    def passes(self, seconds: int) -> None:
        self.clock.shift(timedelta(seconds=seconds))

    # What is always so

    @invariant()
    def holds(self) -> None:
        """Everything that is owed, after all that was due by now."""
        rounds = 0
        while lifecycle.evaluate_due():
            rounds += 1
            assert rounds < 4, "it looks at the same again and again"
        now = timezone.now()
        assert not Notice.objects.filter(due_at__lte=now).exists()
        self._alerts_follow_their_checks()
        self._only_what_may_be_told_is_told()
        self._the_last_word_is_true()
        stories = self._stories()
        for notifier in stories.values():
            for story in notifier.values():
                self._tells_one_thing_after_another(story)
        self._all_that_is_due_was_told(stories[self.hook.pk])

    def _alerts_follow_their_checks(self) -> None:
        unsettled = Alert.objects.filter(resolved_at__isnull=True)
        by_check = {alert.check_ref_id: alert for alert in unsettled}
        for check in Check.objects.all():
            alert = by_check.get(check.pk)
            if check.status in FAILING:
                assert alert is not None
                assert alert.status == check.status
            elif check.status != "unknown":
                assert alert is None or alert.stable_at is not None
        assert all(alert.status in FAILING for alert in unsettled)

    def _only_what_may_be_told_is_told(self) -> None:
        for delivery in Delivery.objects.filter(pk__gt=self.seen).order_by("pk"):
            self.seen = delivery.pk
            assert not windows.begins_at(windows.parse(self.route.active_hours), timezone.now())
            for alert in delivery.alerts.select_related("check_ref"):
                if delivery.reason != "resolved":
                    assert not self._held(alert), delivery.reason
                if delivery.reason in ("reminder", "escalated"):
                    assert alert.acknowledged_at is None

    def _the_last_word_is_true(self) -> None:
        """An incident that was closed for a check which fails again is closed for good."""
        last: dict[tuple[int | None, str, str], int] = {}
        told: set[tuple[int | None, int]] = set()
        for one in Delivery.objects.order_by("pk"):
            for facts in one.message["alerts"]:
                last[one.notifier_id, facts["node"], facts["check"]] = facts["id"]
                told.add((one.notifier_id, facts["id"]))
        is_open = set(Alert.objects.open().values_list("pk", flat=True))
        for (notifier, *_), pk in last.items():
            check = Alert.objects.get(pk=pk).check_ref_id
            later = Alert.objects.filter(check_ref=check, pk__in=is_open).exclude(pk=pk)
            assert not any((notifier, one.pk) in told for one in later)

    def _tells_one_thing_after_another(self, story: Story) -> None:
        """Of one alert: a beginning, then only news, reminders in their time, and one end."""
        reasons = [reason for reason, *_ in story]
        assert reasons[0] in ("opened", "flapping", "escalated")
        assert "opened" not in reasons[1:]
        assert "resolved" not in reasons[:-1]
        for (_, before, at), (reason, state, then) in pairwise(story):
            if reason in ("reminder", "escalated"):
                continue
            assert state != before, "the same was told twice"
            assert then >= at

    def _all_that_is_due_was_told(self, stories: Mapping[int, Story]) -> None:
        for alert in Alert.objects.select_related("check_ref"):
            story = stories.get(alert.pk, [])
            state = story[-1][1] if story else ""
            pending = Notice.objects.filter(alert=alert, due_at__isnull=False).first()
            if alert.resolved_at:
                assert not story or story[-1][0] == "resolved" or self._waits(pending)
            elif not self._held(alert) and not self._waits(pending):
                assert state == ("flapping" if alert.stable_at else alert.status)

    # What the machine knows

    def _held(self, alert: Alert) -> str:
        """Why nobody is to be told of a failure now; worked out anew from what was done."""
        check, now = alert.check_ref, timezone.now()
        match = self.route.match
        if "status" in match and alert.status != "critical":
            return "the route means critical"
        if "service" in match and check.service != "web":
            return "the route means web"
        if any(one.match["service"] == check.service for one in self._silences()):
            return "silenced"
        if self._status(check.node, "_node_maintenance") == "maintenance":
            return "in maintenance"
        is_heard = self.inhibits and "service" not in match
        down = self._status(check.node, "serfHealth") == "critical"
        if check.check_id != "serfHealth" and is_heard and down:
            return "its node is down"
        since = alert.flapping_since or alert.since
        if since + timedelta(seconds=self.route.wait_s) > now:
            return "it has to last"
        return ""

    @staticmethod
    def _waits(notice: Notice | None) -> bool:
        """Whether it is told by itself, for a reason that only waits."""
        if notice is None or notice.due_at is None:
            return False
        stage = notice.verdicts[-1]["stage"]
        assert notice.due_at > timezone.now()
        return stage in ("group", "hours", "wait")

    def _silences(self) -> list[Silence]:
        return list(Silence.objects.active(timezone.now()).order_by("pk"))

    def _status(self, node: str, check: str) -> str:
        rows = Check.objects.filter(node=node, check_id=check)
        return rows.values_list("status", flat=True).first() or ""

    @staticmethod
    def _stories() -> dict[int, dict[int, Story]]:
        """For each notifier and alert."""
        found: dict[int, dict[int, Story]] = defaultdict(lambda: defaultdict(list))
        for one in Delivery.objects.order_by("pk"):
            for facts in one.message["alerts"]:
                state = "flapping" if one.reason == "flapping" else facts["status"]
                story = found[one.notifier_id or 0][facts["id"]]
                story.append((one.reason, state, one.created_at))
        return found

    def _after_all_it_was_told(self) -> None:
        """When everything rests long enough, nothing waits any more."""
        end = timezone.now() + LONGEST
        while timezone.now() < end:
            self.clock.shift(timedelta(seconds=110))
            self.holds()
        stories = self._stories()[self.hook.pk]
        for alert in Alert.objects.select_related("check_ref").order_by("pk"):
            story = stories.get(alert.pk, [])
            if alert.resolved_at:
                assert not story or story[-1][0] == "resolved"
            elif not self._held(alert):
                assert story
                assert story[-1][1] == alert.status


@pytest.mark.django_db
def test_whatever_happens_what_is_owed_is_told() -> None:
    run_state_machine_as_test(
        Alerting,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""The stages between a failing check and a message: each decision, and the reason it gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consulops.alerts.models import Reason
from consulops.alerts.pipeline import (
    STAGES,
    Hold,
    Outcome,
    Situation,
    Terms,
    decide,
    examine,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRESH = Situation(now=NOW, terms=Terms(), status="critical", since=NOW)
TOLD = replace(FRESH, said="critical", said_at=NOW - timedelta(minutes=10))


def _last(situation: Situation) -> tuple[str, Outcome]:
    verdict = decide(situation).verdicts[-1]
    return verdict.stage, verdict.outcome


def test_a_failure_is_told_at_once() -> None:
    decision = decide(FRESH)
    assert decision.reason is Reason.OPENED
    assert decision.due_at is None
    assert [verdict.stage for verdict in decision.verdicts] == [
        "match",
        "recipients",
        "silence",
        "maintenance",
        "inhibition",
        "flapping",
        "news",
        "wait",
        "hours",
        "group",
    ]


def test_a_failure_must_last_as_long_as_the_route_waits() -> None:
    waiting = replace(FRESH, terms=Terms(wait_s=30), since=NOW - timedelta(seconds=29))
    assert decide(waiting).reason is None
    assert decide(waiting).due_at == waiting.since + timedelta(seconds=30)
    assert decide(replace(waiting, now=NOW + timedelta(seconds=1))).reason is Reason.OPENED


def test_a_failure_that_ends_within_the_wait_is_never_told() -> None:
    ended = replace(FRESH, terms=Terms(wait_s=30), status="passing")
    assert _last(ended) == ("news", Outcome.STOPPED)


def test_a_recovery_is_told_at_once_even_on_a_route_that_waits() -> None:
    assert decide(replace(TOLD, terms=Terms(wait_s=60), status="passing")).reason is Reason.RESOLVED


def test_a_deregistered_check_ends_its_alert_with_a_message() -> None:
    assert decide(replace(TOLD, status="gone")).reason is Reason.RESOLVED


def test_a_recovery_is_told_once() -> None:
    assert decide(replace(TOLD, status="passing", said="passing")).reason is None


def test_a_route_may_keep_recoveries_to_itself() -> None:
    quiet = replace(TOLD, status="passing", terms=Terms(notify_resolved=False))
    assert _last(quiet) == ("news", Outcome.STOPPED)


def test_critical_that_becomes_warning_is_a_change_not_an_end() -> None:
    assert decide(replace(TOLD, status="warning")).reason is Reason.CHANGED


def test_a_status_that_the_route_does_not_mean_is_not_told_but_its_end_is() -> None:
    other = replace(TOLD, status="warning", mismatch="the status is warning")
    assert _last(other) == ("match", Outcome.STOPPED)
    assert decide(replace(other, status="passing")).reason is Reason.RESOLVED


def test_a_route_without_recipients_has_told_nothing() -> None:
    silent = replace(FRESH, terms=Terms(has_recipients=False))
    assert _last(silent) == ("recipients", Outcome.STOPPED)


def test_what_is_in_maintenance_waits_for_its_end() -> None:
    resting = replace(FRESH, maintenance="the node n1 is in maintenance")
    assert _last(resting) == ("maintenance", Outcome.HELD)
    assert decide(resting).verdicts[-1].reason == "the node n1 is in maintenance"
    assert decide(replace(TOLD, status="passing", maintenance="x")).reason is Reason.RESOLVED


def test_reminders_come_when_they_are_due() -> None:
    told = replace(TOLD, terms=Terms(remind_every_s=3600))
    assert told.said_at is not None
    assert decide(told).reason is None
    assert decide(told).due_at == told.said_at + timedelta(hours=1)
    later = replace(told, now=told.said_at + timedelta(hours=1))
    assert decide(later).reason is Reason.REMINDER
    assert decide(later).due_at == later.now + timedelta(hours=1)


def test_an_acknowledged_alert_is_not_reminded_of() -> None:
    late = replace(
        TOLD, terms=Terms(remind_every_s=60), acknowledged_by="otto", now=NOW + timedelta(hours=1)
    )
    decision = decide(late)
    assert decision.reason is None
    assert decision.due_at is None
    assert "otto" in decision.verdicts[-1].reason


def test_a_route_without_reminders_says_so() -> None:
    assert decide(TOLD).due_at is None
    assert "no reminders" in decide(TOLD).verdicts[-1].reason


def test_a_group_waits_from_its_first_alert_on() -> None:
    terms = Terms(grouped=True, group_wait_s=10)
    first = replace(FRESH, terms=terms)
    assert decide(first).due_at == NOW + timedelta(seconds=10)
    joined = replace(first, group_since=NOW - timedelta(seconds=10))
    assert decide(joined).reason is Reason.OPENED


def test_who_comes_next_is_told_right_after_a_change_that_came_late() -> None:
    terms = Terms(escalate_after_s=60)
    late = replace(TOLD, terms=terms, told_at=TOLD.said_at, status="warning")
    decision = decide(late)
    assert (decision.reason, decision.due_at) == (Reason.CHANGED, NOW)
    told = replace(late, said="warning", said_at=NOW)
    assert decide(told).reason is Reason.ESCALATED


def test_after_an_escalation_only_reminders_are_left() -> None:
    late = replace(TOLD, terms=Terms(escalate_after_s=60), told_at=TOLD.said_at)
    assert decide(late).reason is Reason.ESCALATED
    assert decide(late).due_at is None
    assert TOLD.said_at is not None
    reminded = replace(late, terms=Terms(escalate_after_s=60, remind_every_s=900))
    assert decide(reminded).due_at == TOLD.said_at + timedelta(seconds=900)


def test_news_of_what_is_acknowledged_is_not_repeated() -> None:
    terms = Terms(remind_every_s=60, escalate_after_s=60)
    news = replace(TOLD, status="warning", acknowledged_by="otto", terms=terms)
    assert decide(news).reason is Reason.CHANGED
    assert decide(news).due_at is None


def test_a_group_waits_from_now_on_however_long_its_first_has_failed() -> None:
    old = replace(FRESH, since=NOW - timedelta(hours=1))
    first = replace(old, terms=Terms(grouped=True, group_wait_s=10))
    assert decide(first).due_at == NOW + timedelta(seconds=10)


def test_what_flaps_is_looked_at_again_when_it_has_rested() -> None:
    rested_at = NOW + timedelta(minutes=5)
    assert decide(replace(TOLD, said="flapping", stable_at=rested_at)).due_at == rested_at


# A busy machine is no defect.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NEVER = [""] * 6
lately = st.integers(0, 200).map(lambda s: NOW - timedelta(seconds=s))
soon = st.integers(1, 200).map(lambda s: NOW + timedelta(seconds=s))
situations = st.builds(
    Situation,
    now=st.just(NOW),
    terms=st.builds(
        Terms,
        wait_s=st.integers(0, 100),
        remind_every_s=st.integers(0, 100),
        notify_resolved=st.booleans(),
        grouped=st.booleans(),
        group_wait_s=st.integers(0, 100),
        group_interval_s=st.integers(0, 100),
        escalate_after_s=st.integers(0, 100),
        has_recipients=st.booleans(),
    ),
    status=st.sampled_from(["critical", "warning", "passing", "gone"]),
    since=lately,
    # Seldom: else hardly any example would come as far as a message.
    mismatch=st.sampled_from([*NEVER, "another service"]),
    maintenance=st.sampled_from([*NEVER, "resting"]),
    silence=st.sampled_from(
        [*(Hold() for _ in NEVER), Hold("quiet"), Hold("quiet", NOW + timedelta(hours=1))]
    ),
    inhibition=st.sampled_from([*NEVER, "the node is down"]),
    stable_at=st.none() | soon,
    asleep_until=st.sampled_from([None] * len(NEVER)) | soon,
    acknowledged_by=st.sampled_from(["", "otto"]),
    said=st.sampled_from(["", "critical", "warning", "flapping", "passing"]),
    said_at=st.none() | lately,
    told_at=st.none() | lately,
    escalated_at=st.none() | lately,
    group_since=st.none() | lately,
    group_said_at=st.none() | lately,
)


@unhurried
@given(situations)
def test_every_decision_explains_itself_and_looks_only_ahead(situation: Situation) -> None:
    decision = decide(situation)
    assert all(verdict.reason for verdict in decision.verdicts)
    assert decision.due_at is None or decision.due_at >= NOW
    # What holds it ends later; only what was due beside a message is looked at once more at once.
    assert decision.due_at != NOW or decision.reason is not None
    # A message comes exactly when all stages let it pass.
    assert (decision.reason is not None) == (
        len(decision.verdicts) == len(STAGES)
        and all(verdict.outcome is Outcome.PASSED for verdict in decision.verdicts)
    )


@unhurried
@given(situations)
def test_nobody_hears_of_an_end_without_a_beginning(situation: Situation) -> None:
    if decide(situation).reason is Reason.RESOLVED:
        assert situation.said in ("critical", "warning", "flapping")


@unhurried
@given(situations)
def test_nothing_new_is_told_of_what_is_held_back(situation: Situation) -> None:
    held = situation.silence.reason or situation.maintenance or situation.inhibition
    if (held and situation.failing) or situation.asleep_until:
        assert decide(situation).reason is None


@unhurried
@given(situations)
def test_what_is_acknowledged_is_told_again_only_when_it_changes(situation: Situation) -> None:
    if situation.acknowledged_by:
        assert decide(situation).reason not in (Reason.REMINDER, Reason.ESCALATED)


@unhurried
@given(situations)
def test_every_stage_can_be_asked_for_itself(situation: Situation) -> None:
    verdicts = examine(situation)
    assert [verdict.stage for verdict in verdicts] == [stage.__name__ for stage in STAGES]
    told = decide(situation).verdicts
    assert verdicts[: len(told)] == told

"""From "a check fails" to "this message, now": small stages that each say why.

Pure: a decision follows from the situation alone. The stages are tried in order until one stops
or holds; the alert's page shows what each of them said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from consulops.alerts.models import Reason
from consulops.core.status import FAILING


class Outcome(StrEnum):
    """What a stage thinks: go on, look again later, or nothing to say."""

    PASSED = "passed"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a route asks for."""

    wait_s: int = 0
    remind_every_s: int = 0
    notify_resolved: bool = True
    grouped: bool = False
    group_wait_s: int = 0
    # Whether it has a notifier that is switched on.
    has_recipients: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """One alert as one route sees it."""

    now: datetime
    terms: Terms
    status: str
    since: datetime
    # Why the route does not mean the alert in its present status; empty when it does.
    mismatch: str = ""
    # What is in maintenance, in words; empty when nothing is.
    maintenance: str = ""
    acknowledged_by: str = ""
    # The status that was last told and when; empty while nothing was.
    said: str = ""
    said_at: datetime | None = None
    # When the first alert of the group asked to be told.
    group_since: datetime | None = None

    @property
    def failing(self) -> bool:
        return self.status in FAILING


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one stage said, and why. `until` is when a hold ends by itself."""

    stage: str
    outcome: Outcome
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """All verdicts, the kind of message if there is one to send, and when to look again."""

    verdicts: tuple[Verdict, ...]
    reason: Reason | None
    due_at: datetime | None

    def told(self) -> list[dict[str, str]]:
        """The verdicts as they are stored."""
        return [
            {key: value for key, value in asdict(verdict).items() if key != "until"}
            for verdict in self.verdicts
        ]


Stage = Callable[[Situation], Verdict]


def match(now: Situation) -> Verdict:
    """A route that told of a failure also tells of its end; else it must mean this status."""
    if now.mismatch and now.failing:
        return Verdict("match", Outcome.STOPPED, now.mismatch)
    return Verdict("match", Outcome.PASSED, "the route's matchers agree")


def recipients(now: Situation) -> Verdict:
    """A route without a notifier has told nobody: one that it gets later hears of what is open."""
    if not now.terms.has_recipients:
        text = "the route has no notifier that is switched on"
        return Verdict("recipients", Outcome.STOPPED, text)
    return Verdict("recipients", Outcome.PASSED, "there is somebody to tell")


def maintenance(now: Situation) -> Verdict:
    """A failure of what is in maintenance is expected: it waits for the end of maintenance."""
    if now.maintenance and now.failing:
        return Verdict("maintenance", Outcome.HELD, now.maintenance)
    return Verdict("maintenance", Outcome.PASSED, "nothing is in maintenance")


def news(now: Situation) -> Verdict:
    """Whether there is anything that was not told before."""
    if not now.failing:
        return _news_of_recovery(now)
    if now.status != now.said:
        text = f"{now.said} was told before" if now.said else "nothing was told before"
        return Verdict("news", Outcome.PASSED, text)
    return _reminder(now)


def _news_of_recovery(now: Situation) -> Verdict:
    if not now.said:
        return Verdict("news", Outcome.STOPPED, "it ended before anyone was told")
    if now.said not in FAILING:
        return Verdict("news", Outcome.STOPPED, "its end was told")
    if not now.terms.notify_resolved:
        return Verdict("news", Outcome.STOPPED, "the route does not tell of recoveries")
    return Verdict("news", Outcome.PASSED, f"{now.said} was told before")


def _reminder(now: Situation) -> Verdict:
    if not now.terms.remind_every_s or now.said_at is None:
        return Verdict("news", Outcome.STOPPED, f"{now.said} was told; the route has no reminders")
    if now.acknowledged_by:
        return Verdict(
            "news", Outcome.STOPPED, f"acknowledged by {now.acknowledged_by}: no reminder"
        )
    due = now.said_at + timedelta(seconds=now.terms.remind_every_s)
    if now.now < due:
        return Verdict("news", Outcome.HELD, f"{now.said} was told; a reminder is due later", due)
    return Verdict("news", Outcome.PASSED, "it is time for a reminder")


def wait(now: Situation) -> Verdict:
    """A failure must last before it counts; a recovery is told at once."""
    ready = now.since + timedelta(seconds=now.terms.wait_s)
    if now.failing and now.now < ready:
        text = f"{now.status} must last {now.terms.wait_s} s before it counts"
        return Verdict("wait", Outcome.HELD, text, ready)
    return Verdict("wait", Outcome.PASSED, f"{now.status} has lasted long enough")


def group(now: Situation) -> Verdict:
    """The first alert of a group waits for others to share its message."""
    if now.terms.grouped and now.terms.group_wait_s:
        ready = (now.group_since or now.now) + timedelta(seconds=now.terms.group_wait_s)
        if now.now < ready:
            text = f"waits {now.terms.group_wait_s} s for others of its group"
            return Verdict("group", Outcome.HELD, text, ready)
    return Verdict("group", Outcome.PASSED, "not held for a group")


STAGES: tuple[Stage, ...] = (match, recipients, maintenance, news, wait, group)


def decide(now: Situation) -> Decision:
    """Runs the stages until one stops or holds."""
    verdicts: list[Verdict] = []
    for stage in STAGES:
        verdict = stage(now)
        verdicts.append(verdict)
        if verdict.outcome is not Outcome.PASSED:
            return Decision(tuple(verdicts), None, verdict.until)
    return Decision(tuple(verdicts), _kind_of_message(now), _next_reminder(now))


def _kind_of_message(now: Situation) -> Reason:
    if not now.failing:
        return Reason.RESOLVED
    if not now.said:
        return Reason.OPENED
    return Reason.REMINDER if now.said == now.status else Reason.CHANGED


def _next_reminder(now: Situation) -> datetime | None:
    if not now.failing or not now.terms.remind_every_s or now.acknowledged_by:
        return None
    return now.now + timedelta(seconds=now.terms.remind_every_s)

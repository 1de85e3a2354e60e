"""From "a check fails" to "this message, now": small stages that each say why.

Pure: a decision follows from the situation alone. The stages are tried in order until one stops
or holds; the alert's page shows what each of them said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from consulops.alerts.models import Reason
from consulops.core.status import FAILING
from consulops.core.times import in_words

# What is said of a check that flaps, instead of its status of the moment.
FLAPPING = "flapping"


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
    group_interval_s: int = 0
    # 0 when there is nobody else to tell.
    escalate_after_s: int = 0
    # Whether it has a notifier that is switched on.
    has_recipients: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a failure is not told now, and when that ends by itself, if it does."""

    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """One alert as one route sees it."""

    now: datetime
    terms: Terms
    status: str
    since: datetime
    # Why the route does not mean the alert in its present status; empty when it does.
    mismatch: str = ""
    silence: Hold = Hold()
    # What is in maintenance, in words; empty when nothing is.
    maintenance: str = ""
    # What speaks for it, in words; empty when nothing does.
    inhibition: str = ""
    # When a check that flaps will have rested long enough; None when it does not flap.
    stable_at: datetime | None = None
    # When the route's active hours begin; None in them.
    asleep_until: datetime | None = None
    acknowledged_by: str = ""
    # What was last told and when; empty while nothing was.
    said: str = ""
    said_at: datetime | None = None
    # When a failure was first told, and when that went to those who come next.
    told_at: datetime | None = None
    escalated_at: datetime | None = None
    # When the first alert of the group asked to be told, and when the group last was.
    group_since: datetime | None = None
    group_said_at: datetime | None = None

    @property
    def failing(self) -> bool:
        return self.status in FAILING

    @property
    def state(self) -> str:
        """What would be told now: the status, or that it flaps."""
        return FLAPPING if self.stable_at and self.failing else self.status

    @property
    def remind_at(self) -> datetime | None:
        """When a reminder of what was told is due."""
        return _after(self.said_at, self.terms.remind_every_s)

    @property
    def escalate_at(self) -> datetime | None:
        """When those who come next are to be told."""
        return None if self.escalated_at else _after(self.told_at, self.terms.escalate_after_s)


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
            {"stage": one.stage, "outcome": one.outcome.value, "reason": one.reason}
            for one in self.verdicts
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


def silence(now: Situation) -> Verdict:
    """Somebody asked for quiet; who was told of a failure before still hears that it is over."""
    if now.silence.reason and now.failing:
        return Verdict("silence", Outcome.HELD, now.silence.reason, now.silence.until)
    return Verdict("silence", Outcome.PASSED, "no silence means it")


def maintenance(now: Situation) -> Verdict:
    """A failure of what is in maintenance is expected: it waits for the end of maintenance."""
    if now.maintenance and now.failing:
        return Verdict("maintenance", Outcome.HELD, now.maintenance)
    return Verdict("maintenance", Outcome.PASSED, "nothing is in maintenance")


def inhibition(now: Situation) -> Verdict:
    """What follows from a larger failure is told with it, not beside it."""
    if now.inhibition and now.failing:
        return Verdict("inhibition", Outcome.HELD, now.inhibition)
    return Verdict("inhibition", Outcome.PASSED, "nothing larger speaks for it")


def flapping(now: Situation) -> Verdict:
    """A check that comes and goes is told once as such, and then rests until it does."""
    if now.state != FLAPPING:
        return Verdict("flapping", Outcome.PASSED, "it does not flap")
    if now.said != FLAPPING:
        return Verdict("flapping", Outcome.PASSED, "it flaps, which was not told before")
    return Verdict("flapping", Outcome.HELD, "it flaps: quiet until it is stable", now.stable_at)


def news(now: Situation) -> Verdict:
    """Whether there is anything that was not told before."""
    if not now.failing:
        return _news_of_recovery(now)
    if now.state != now.said:
        text = f"{now.said} was told before" if now.said else "nothing was told before"
        return Verdict("news", Outcome.PASSED, text)
    return _again(now)


def _news_of_recovery(now: Situation) -> Verdict:
    if not now.said:
        return Verdict("news", Outcome.STOPPED, "it ended before anyone was told")
    if now.said not in (*FAILING, FLAPPING):
        return Verdict("news", Outcome.STOPPED, "its end was told")
    if not now.terms.notify_resolved:
        return Verdict("news", Outcome.STOPPED, "the route does not tell of recoveries")
    return Verdict("news", Outcome.PASSED, f"{now.said} was told before")


def _again(now: Situation) -> Verdict:
    """What was told already is told again to remind, or to those who come next."""
    if now.acknowledged_by:
        text = f"acknowledged by {now.acknowledged_by}: no reminder"
        return Verdict("news", Outcome.STOPPED, text)
    if _is_due(now, now.escalate_at):
        text = f"nobody acknowledged it for {in_words(now.terms.escalate_after_s)}"
        return Verdict("news", Outcome.PASSED, text)
    if _is_due(now, now.remind_at):
        return Verdict("news", Outcome.PASSED, "it is time for a reminder")
    due = _first(now.escalate_at, now.remind_at)
    if due is None:
        return Verdict("news", Outcome.STOPPED, f"{now.said} was told; the route has no reminders")
    return Verdict("news", Outcome.HELD, f"{now.said} was told; it is told again later", due)


def wait(now: Situation) -> Verdict:
    """A failure must last before it counts; a recovery is told at once."""
    ready = now.since + timedelta(seconds=now.terms.wait_s)
    if now.failing and now.now < ready:
        text = f"{now.state} must last {now.terms.wait_s} s before it counts"
        return Verdict("wait", Outcome.HELD, text, ready)
    return Verdict("wait", Outcome.PASSED, f"{now.state} has lasted long enough")


def hours(now: Situation) -> Verdict:
    """Outside the route's active hours there are no messages; what still holds is told later."""
    if now.asleep_until:
        text = "outside the route's active hours"
        return Verdict("hours", Outcome.HELD, text, now.asleep_until)
    return Verdict("hours", Outcome.PASSED, "within the route's active hours")


def group(now: Situation) -> Verdict:
    """The first alert of a group waits for others to share its message, and so does the next."""
    if now.terms.grouped:
        ready = _after(now.group_since or now.now, now.terms.group_wait_s)
        if ready and now.now < ready:
            text = f"waits {now.terms.group_wait_s} s for others of its group"
            return Verdict("group", Outcome.HELD, text, ready)
        ready = _after(now.group_said_at, now.terms.group_interval_s)
        if ready and now.now < ready:
            text = f"its group is told at most every {now.terms.group_interval_s} s"
            return Verdict("group", Outcome.HELD, text, ready)
    return Verdict("group", Outcome.PASSED, "not held for a group")


STAGES: tuple[Stage, ...] = (
    *(match, recipients, silence, maintenance, inhibition),
    *(flapping, news, wait, hours, group),
)


def decide(now: Situation) -> Decision:
    """Runs the stages until one stops or holds."""
    verdicts: list[Verdict] = []
    for stage in STAGES:
        verdict = stage(now)
        verdicts.append(verdict)
        if verdict.outcome is not Outcome.PASSED:
            return Decision(tuple(verdicts), None, verdict.until)
    kind = _kind_of_message(now)
    return Decision(tuple(verdicts), kind, _told_again_at(now, kind))


def examine(now: Situation) -> tuple[Verdict, ...]:
    """What every stage says, also those behind one that stops or holds."""
    return tuple(stage(now) for stage in STAGES)


def _kind_of_message(now: Situation) -> Reason:
    if not now.failing:
        return Reason.RESOLVED
    if now.state == FLAPPING:
        return Reason.FLAPPING
    if not now.said:
        return Reason.OPENED
    if now.said != now.state:
        return Reason.CHANGED
    return Reason.ESCALATED if _is_due(now, now.escalate_at) else Reason.REMINDER


def _told_again_at(now: Situation, kind: Reason) -> datetime | None:
    """When to look again after this message, unless something changes before; at once for what
    was due as well.
    """
    if kind is Reason.RESOLVED or now.acknowledged_by:
        return None
    # Those who come next heard it now: the clock of the others' reminders goes on.
    said_at = now.said_at if kind is Reason.ESCALATED else now.now
    escalate_at = None
    if not now.escalated_at and kind is not Reason.ESCALATED:
        escalate_at = _after(now.told_at or now.now, now.terms.escalate_after_s)
    due = _first(escalate_at, _after(said_at, now.terms.remind_every_s))
    return max(due, now.now) if due else None


def _is_due(now: Situation, when: datetime | None) -> bool:
    return when is not None and when <= now.now


def _after(when: datetime | None, seconds: int) -> datetime | None:
    return when + timedelta(seconds=seconds) if when and seconds else None


def _first(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)

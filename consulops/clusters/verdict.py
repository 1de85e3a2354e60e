"""One sentence on how a cluster is: pure, so that every page says the same and tests can try it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from consulops.core.status import LOOKS, Status
from consulops.core.times import in_words

# A watch waits 30 s and a little; silence beyond this is not Consul having no news.
LATE = timedelta(seconds=45)
# The probe writes at least every 15 s; older words on the leader are not worth repeating.
PROBE_LATE = timedelta(seconds=60)

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many checks of a cluster are in each state; those that are gone count nowhere."""

    total: int = 0
    critical: int = 0
    unknown: int = 0
    warning: int = 0
    maintenance: int = 0
    passing: int = 0

    @property
    def failing(self) -> int:
        return self.critical + self.warning


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that speaks for a cluster, and the sentence that says why."""

    status: Status
    sentence: str

    @property
    def rank(self) -> int:
        """Worst is 0, for sorting."""
        return LOOKS[self.status].rank


class State(Protocol):
    """What `verdict` reads of a ClusterState."""

    @property
    def answered_at(self) -> datetime | None: ...

    @property
    def error(self) -> str: ...

    @property
    def error_at(self) -> datetime | None: ...

    @property
    def probed_at(self) -> datetime | None: ...

    @property
    def leader(self) -> str: ...

    @property
    def peers(self) -> list[str]: ...

    @property
    def failure_tolerance(self) -> int | None: ...


def verdict(state: State, counts: Counts, now: datetime, *, enabled: bool = True) -> Verdict:
    """How a cluster is. Never green without an answer of the last 45 s that says so."""
    if not enabled:
        return Verdict(Status.MAINTENANCE, "Not watched: this cluster is switched off.")
    if silent := _silence(state, counts, now):
        return silent
    if _probed(state, now) and not state.leader:
        return Verdict(
            Status.CRITICAL,
            "No leader: nothing can be changed, and what it answers may be old. "
            + _checks(counts).sentence,
        )
    checks = _checks(counts)
    status = checks.status
    if _is_fragile(state, now) and checks.rank > LOOKS[Status.WARNING].rank:
        status = Status.WARNING
    return Verdict(status, f"{checks.sentence} {servers(state, now)}".strip())


def servers(state: State, now: datetime) -> str:
    """How many more servers may fail before the cluster loses its leader; empty when not known."""
    if not _probed(state, now) or not state.peers:
        return ""
    if len(state.peers) == 1:
        return "Its only server must not fail."
    if state.failure_tolerance is not None:
        return f"{_may_fail(state.failure_tolerance)}."
    # Raft's members do not tell who of them is alive: this is what holds when all are.
    return f"At best {_may_fail((len(state.peers) - 1) // 2).lower()}."


def is_late(state: State, now: datetime) -> bool:
    """Whether the watcher's last answer is older than it ever is while all goes well."""
    return state.answered_at is None or now - state.answered_at > LATE


def _silence(state: State, counts: Counts, now: datetime) -> Verdict | None:
    """The verdict on a cluster that does not answer, or that nobody asks."""
    why = state.error.strip()
    if why and not why.endswith((".", "!", "?")):
        why += "."
    if state.answered_at is None:
        if why:
            return Verdict(Status.CRITICAL, f"No answer yet: {why}")
        return Verdict(Status.UNKNOWN, "Waiting for the first answer.")
    since = in_words((now - state.answered_at).total_seconds())
    late = is_late(state, now)
    if why and late:
        return Verdict(Status.CRITICAL, f"No answer for {since}: {why}")
    if why and state.error_at is not None and state.error_at >= state.answered_at:
        checks = _checks(counts)
        status = checks.status if checks.status is Status.CRITICAL else Status.WARNING
        return Verdict(status, f"No answer for {since}: {why} {checks.sentence}")
    if late:
        return Verdict(
            Status.UNKNOWN,
            f"Not watched for {since}: no worker asks this cluster. See the System page.",
        )
    return None


def _checks(counts: Counts) -> Verdict:
    total = counts.total
    if not total:
        return Verdict(Status.NONE, "No checks are registered.")
    for status, number in (
        (Status.CRITICAL, counts.critical),
        (Status.UNKNOWN, counts.unknown),
        (Status.WARNING, counts.warning),
        (Status.MAINTENANCE, counts.maintenance),
    ):
        if number:
            word = "in maintenance" if status is Status.MAINTENANCE else status.value
            noun = "check" if total == 1 else "checks"
            return Verdict(status, f"{number} of {total} {noun} {word}.")
    if counts.passing < total:
        return Verdict(Status.UNKNOWN, f"{total - counts.passing} of {total} checks unknown.")
    if total == 1:
        return Verdict(Status.PASSING, "The only check is passing.")
    return Verdict(Status.PASSING, f"All {total} checks are passing.")


def _probed(state: State, now: datetime) -> bool:
    return state.probed_at is not None and now - state.probed_at <= PROBE_LATE


def _is_fragile(state: State, now: datetime) -> bool:
    """Whether a cluster of several servers has none to spare."""
    return (
        _probed(state, now)
        and len(state.peers) > 1
        and state.failure_tolerance is not None
        and state.failure_tolerance <= 0
    )


def _may_fail(number: int) -> str:
    number = max(0, number)
    word = _WORDS[number] if number < len(_WORDS) else str(number)
    return f"{word.capitalize()} more {'server' if number < 2 else 'servers'} may fail"

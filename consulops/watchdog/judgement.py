"""What is wrong with ConsulOps' own work and with the clusters it watches: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consulops.core.status import Status

UNREACHABLE = "consulops:unreachable"
LEADER = "consulops:leader"
TOLERANCE = "consulops:tolerance"
WATCHER = "consulops:watcher"
SUPERVISOR = "consulops:supervisor"
NOTIFIER = "consulops:notifier:"

NAMES = {
    UNREACHABLE: "Connection",
    LEADER: "Leader",
    TOLERANCE: "Failure tolerance",
    WATCHER: "Our watcher",
    SUPERVISOR: "Supervisor",
}

# The probe writes at least every 15 s while it gets answers.
PROBE_FRESH = timedelta(seconds=30)
# An election takes seconds and is no news; nor is what a new leader has not yet found out.
PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things may go wrong before they are alerts."""

    unreachable_after: timedelta
    delivery_after: timedelta


@dataclass(frozen=True, slots=True)
class Watcher:
    """The lease of a cluster's check watcher."""

    held: bool
    # Since when it runs, or since when nobody runs it.
    since: datetime
    error: str = ""
    error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What is known of one enabled cluster."""

    # When its settings were last changed: what was known before is void.
    settled_at: datetime
    answered_at: datetime | None = None
    error: str = ""
    probed_at: datetime | None = None
    leader: str = ""
    peers: int = 0
    failure_tolerance: int | None = None
    watcher: Watcher | None = None
    # What its checks of ours say now, by their id.
    before: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotifierFacts:
    """What is known of one enabled notifier."""

    pk: int
    name: str
    error: str = ""
    is_permanent: bool = False
    # When the oldest message that still waits was made; not counting those about itself.
    oldest: datetime | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of ours should say; without a status it stays as it is."""

    check_id: str
    status: Status | None = None
    text: str = ""
    # Of its own, or empty: as NAMES has it.
    own_name: str = ""
    # Only when it was true for so long.
    patience: timedelta = timedelta()

    @property
    def name(self) -> str:
        """What people call the check."""
        return self.own_name or NAMES[self.check_id]


def judge_cluster(
    facts: ClusterFacts, terms: Terms, now: datetime, running_since: datetime
) -> list[Finding]:
    """The findings about a cluster; a check that is not among them makes no sense for it.

    `running_since`: nothing is late before somebody has looked for so long.
    """
    look = _Look(facts, terms, now, running_since)
    reachable = look.reachable()
    return [reachable, look.leader(), *look.tolerance(), look.watcher(reachable)]


@dataclass(frozen=True, slots=True)
class _Look:
    facts: ClusterFacts
    terms: Terms
    now: datetime
    running_since: datetime

    @property
    def is_silent(self) -> bool:
        at = self.facts.answered_at
        return at is None or self.now - at > self.terms.unreachable_after

    @property
    def is_probed(self) -> bool:
        at = self.facts.probed_at
        return at is not None and self.now - at <= PROBE_FRESH

    def is_over(self, since: datetime) -> bool:
        """Whether something lasts for too long, of which we have seen enough ourselves."""
        since = max(since, self.facts.settled_at, self.running_since)
        return self.now - since > self.terms.unreachable_after

    def was(self, check_id: str) -> bool:
        return self.facts.before.get(check_id) == Status.CRITICAL

    @property
    def silence(self) -> str:
        at = self.facts.answered_at
        why = f": {self.facts.error.strip()}" if self.facts.error.strip() else "."
        return f"since {moment(at)}{why}" if at else f"yet{why}"

    def reachable(self) -> Finding:
        watcher = self.facts.watcher
        if not self.is_silent or self.is_probed:
            return Finding(UNREACHABLE, Status.PASSING, "The cluster answers.")
        # A watcher that has only just begun has not been refused for long.
        if self.was(UNREACHABLE) or (watcher and watcher.held and self.is_over(watcher.since)):
            return Finding(UNREACHABLE, Status.CRITICAL, f"No answer {self.silence}")
        return Finding(UNREACHABLE)

    def leader(self) -> Finding:
        if not self.is_probed:
            return Finding(LEADER)
        if self.facts.leader:
            return Finding(LEADER, Status.PASSING, "The cluster has a leader.")
        text = "No leader: nothing can be changed, and what the servers answer may be old."
        return Finding(LEADER, Status.CRITICAL, text, patience=PATIENCE)

    def tolerance(self) -> Iterator[Finding]:
        facts = self.facts
        if not self.is_probed or not facts.leader:
            yield Finding(TOLERANCE)
        elif facts.peers > 1 and facts.failure_tolerance is not None:
            if facts.failure_tolerance > 0:
                yield Finding(TOLERANCE, Status.PASSING, "There are servers to spare.")
            else:
                text = f"One more of the {facts.peers} servers failing stops the cluster."
                yield Finding(TOLERANCE, Status.WARNING, text, patience=PATIENCE)

    def watcher(self, reachable: Finding) -> Finding:
        watcher = self.facts.watcher
        if reachable.status is Status.CRITICAL or (self.is_probed and not self.facts.leader):
            # These speak for it: it cannot do better.
            return Finding(WATCHER)
        since = watcher.since if watcher else self.facts.settled_at
        if watcher is None or not watcher.held:
            if not self.is_over(since):
                return Finding(WATCHER)
            return Finding(WATCHER, Status.CRITICAL, "No worker watches this cluster.")
        if self.is_silent:
            if not (self.was(WATCHER) or self.is_over(since)):
                return Finding(WATCHER)
            text = f"Consul answers, but the watcher has heard nothing {self.silence}"
            return Finding(WATCHER, Status.CRITICAL, text)
        crashed_at = watcher.error_at
        if crashed_at and self.now - crashed_at <= self.terms.unreachable_after:
            text = f"It crashed at {moment(crashed_at)} and was begun anew: {_last(watcher.error)}"
            return Finding(WATCHER, Status.WARNING, text)
        return Finding(WATCHER, Status.PASSING, "The cluster is watched.")


def judge_notifier(
    facts: NotifierFacts, terms: Terms, now: datetime, running_since: datetime
) -> Finding:
    """Whether messages reach a notifier."""
    check_id, name = f"{NOTIFIER}{facts.pk}", f"Delivery to {facts.name}"
    if facts.error and facts.is_permanent:
        return Finding(check_id, Status.CRITICAL, f"It refuses messages: {facts.error}", name)
    if facts.oldest is not None and now - facts.oldest > terms.delivery_after:
        watched = now - max(facts.oldest, running_since) > terms.delivery_after
        if not watched and facts.before != Status.CRITICAL:
            return Finding(check_id, own_name=name)
        why = facts.error or "nothing has been tried yet."
        text = f"Messages wait since {moment(facts.oldest)}: {why}"
        return Finding(check_id, Status.CRITICAL, text, name)
    return Finding(check_id, Status.PASSING, "Messages are delivered.", name)


def judge_supervisor(lives: bool) -> Finding:
    """Whether anybody runs the loops at all."""
    if lives:
        return Finding(SUPERVISOR, Status.PASSING, "A supervisor runs the loops.")
    text = (
        "No supervisor lives: nothing is watched and nothing is delivered, but for this message "
        "and what was due. See that `manage.py work watch` runs."
    )
    return Finding(SUPERVISOR, Status.CRITICAL, text)


class Patience:
    """Remembers since when a finding is bad, so that what passes by itself is not told."""

    def __init__(self) -> None:
        self._since: dict[tuple[int, str], datetime] = {}

    def ripe(
        self, cluster: int, findings: Iterable[Finding], before: Mapping[str, str], now: datetime
    ) -> list[Finding]:
        """The findings; those that are worse than before and too fresh leave the check alone."""
        found = []
        for one in findings:
            key = cluster, one.check_id
            if one.status is None or not one.patience or before.get(one.check_id) == one.status:
                self._since.pop(key, None)
            elif now - self._since.setdefault(key, now) < one.patience:
                found.append(Finding(one.check_id))
                continue
            found.append(one)
        return found


def moment(when: datetime) -> str:
    """A time as texts name it, to the second, so that a text stays the same."""
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def _last(error: str) -> str:
    """The last line of a traceback."""
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1].strip()[:500] if lines else "no reason is known."

"""Whether enough instances of a service pass: pure, so that alert, page and preview agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consulops.core.status import LOOKS, Status

# Of those that do not pass a message names so many.
NAMED = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """One instance as Consul counts it: as bad as the worst of its own and its node's checks."""

    node: str
    service_id: str
    status: Status
    # What people call its worst check.
    check: str = ""

    def passes(self, warning_passes: bool) -> bool:
        """Whether it may be used; what is in maintenance or unknown may not."""
        return self.status is Status.PASSING or (warning_passes and self.status is Status.WARNING)

    def __str__(self) -> str:
        place = f"{self.node}/{self.service_id}"
        if self.status is Status.MAINTENANCE:
            return f"{place} in maintenance"
        return f"{place} {self.status.value} ({self.check})"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a rule demands: a number of instances or a percentage of them, never both."""

    least_passing: int | None
    least_percent: int | None
    warning_passes: bool = True

    def __str__(self) -> str:
        if self.least_passing is not None:
            return f"at least {self.least_passing} must"
        return f"at least {self.least_percent} % must"

    def is_met(self, passing: int, total: int) -> bool:
        """Of no instances at all none pass: that is never enough."""
        if not total:
            return False
        if self.least_passing is not None:
            return passing >= self.least_passing
        return passing * 100 >= (self.least_percent or 0) * total


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many instances of one service pass, whether that is too few, and all that in words."""

    passing: int
    total: int
    broken: bool
    words: str


def judge(measure: Measure, instances: Sequence[Counted]) -> Verdict:
    """The verdict on one service's instances."""
    others = [one for one in instances if not one.passes(measure.warning_passes)]
    total = len(instances)
    passing = total - len(others)
    broken = not measure.is_met(passing, total)
    return Verdict(passing, total, broken, _words(measure, passing, total, others))


def _words(measure: Measure, passing: int, total: int, others: Sequence[Counted]) -> str:
    if not total:
        return f"No instance is left; {measure} pass."
    noun, verb = ("instance", "passes") if total == 1 else ("instances", "pass")
    said = f"{passing} of {total} {noun} {verb}; {measure}"
    if not others:
        return f"{said}."
    worst = sorted(others, key=lambda one: (LOOKS[one.status].rank, one.node, one.service_id))
    more = f", and {len(worst) - NAMED} more" if len(worst) > NAMED else ""
    return f"{said}: {', '.join(map(str, worst[:NAMED]))}{more}"

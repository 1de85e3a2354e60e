"""Which checks a route would speak for, as they are now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from consulops.core.status import FAILING
from consulops.health.matching import Match
from consulops.health.subjects import Candidate, candidates, remembering

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """How many of all checks a route means, how many of those it would speak of now, and some."""

    meant: int
    total: int
    now: int
    examples: list[Candidate]


def preview(match: Match) -> Preview:
    """Tries the matchers on every check that there is, worst first; in one to three queries.

    A check that does not fail is meant when it would be, were its status one of the route's.
    """
    match = remembering(match)
    would_be = min(match.statuses, default=FAILING[0].value)
    meant = now = total = 0
    examples: list[Candidate] = []
    for one in candidates([match]):
        total += 1
        fails = one.subject.status in FAILING and not match.mismatch(one.subject)
        if not fails and match.mismatch(replace(one.subject, status=would_be)):
            continue
        meant += 1
        now += fails
        if len(examples) < SHOWN:
            examples.append(one)
    return Preview(meant, total, now, examples)

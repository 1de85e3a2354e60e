"""Which checks a route would speak for, as they are now."""

from __future__ import annotations

from dataclasses import dataclass

from consulops.core.status import FAILING
from consulops.health.matching import Match, Subject
from consulops.health.models import Check
from consulops.health.querysets import WORST_FIRST

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Example:
    """One check that a route means."""

    pk: int
    label: str
    service: str
    node: str
    cluster: str
    status: str


@dataclass(frozen=True, slots=True)
class Preview:
    """How many of all checks a route means, how many of those it would speak of now, and some."""

    meant: int
    total: int
    now: int
    examples: list[Example]


def preview(match: Match) -> Preview:
    """Tries the matchers on every check that there is, worst first; one query.

    A check that does not fail is meant when it would be, were its status one of the route's.
    """
    would_be = min(match.statuses, default=FAILING[0].value)
    columns = ("pk", "name", "check_id", "service", "node", "cluster__name", "tags", "status")
    rows = Check.objects.living().order_by(*WORST_FIRST).values_list(*columns)
    meant = now = total = 0
    examples: list[Example] = []
    for pk, name, check, service, node, cluster, tags, status in rows:
        total += 1
        names = (cluster, service, node, check, tuple(tags))
        fails = status in FAILING and not match.mismatch(Subject(*names, status))
        if not fails and match.mismatch(Subject(*names, would_be)):
            continue
        meant += 1
        now += fails
        if len(examples) < SHOWN:
            examples.append(Example(pk, name or check, service, node, cluster, status))
    return Preview(meant, total, now, examples)

"""What silences mean just now: which open alerts, and which checks whether they fail or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.db.models import Q

from consulops.alerts.models import Alert
from consulops.health.matching import Match
from consulops.health.models import Check
from consulops.health.subjects import Candidate, candidates, remembering
from consulops.silences.words import literal

SHOWN = 10
# Matchers that look at one column of a check.
_COLUMN_OF = {
    "cluster": "cluster__name",
    "service": "service",
    "service_id": "service_id",
    "node": "node",
    "check": "check_id",
    "name": "name",
}


@dataclass(frozen=True, slots=True)
class Silenceable(Candidate):
    """One check that a silence may mean, with its open alert and that one's status."""

    alert: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """How many open alerts and how many of all checks a silence means, and some of them."""

    alerts: int
    checks: int
    total: int
    examples: list[Silenceable]


def reaches(matches: Sequence[Match]) -> list[Reach]:
    """What each of these matchers means now, in their order; in three to five queries."""
    if not matches:
        return []
    total = Check.every.living().count()
    known = list(_silenceable(matches))
    return [_reach(remembering(match), known, total) for match in matches]


def _reach(match: Match, checks: Sequence[Silenceable], total: int) -> Reach:
    # A check that does not fail is meant when it would be, did it fail as the silence wants.
    names_only = replace(match, statuses=frozenset())
    meant = [one for one in checks if not names_only.mismatch(one.subject)]
    silent = [one for one in meant if one.alert and not match.mismatch(one.subject)]
    known = {one.pk for one in silent}
    others = [one for one in meant if one.pk not in known]
    return Reach(len(silent), len(meant), total, [*silent, *others][:SHOWN])


def _silenceable(matches: Sequence[Match]) -> Iterator[Silenceable]:
    alerts = {
        check: (alert, status)
        for check, alert, status in Alert.objects.open().values_list("check_ref", "pk", "status")
    }
    for one in candidates(matches, _bounds(matches)):
        if one.pk in alerts:
            alert, status = alerts[one.pk]
            yield Silenceable(one.pk, one.label, replace(one.subject, status=status), alert)
        else:
            yield Silenceable(one.pk, one.label, one.subject, None)


def _bounds(matches: Iterable[Match]) -> Q:
    """What the database can say of these matchers: the names of which they mean one only.

    Most silences are made with one click and name one check: its row is then all that is read.
    """
    bounds = Q()
    for match in matches:
        names = {_COLUMN_OF.get(name): literal(one.pattern) for name, one in match.patterns}
        known = {column: text for column, text in names.items() if column and text is not None}
        if not known:
            return Q()
        bounds |= Q(**known)
    return bounds

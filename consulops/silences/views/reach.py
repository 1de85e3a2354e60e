"""What silences mean just now: which open alerts, and which checks whether they fail or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import Q

from consulops.alerts.models import Alert
from consulops.health.matching import Match, Pattern, Subject
from consulops.health.models import Check, Instance, Node
from consulops.health.querysets import WORST_FIRST
from consulops.silences.words import literal

SHOWN = 10
_COLUMNS: tuple[str, ...] = (
    *("pk", "cluster_id", "cluster__name", "service", "service_id", "node"),
    *("check_id", "name", "tags", "status"),
)
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
class Candidate:
    """One check that a silence may mean, with its open alert."""

    pk: int
    label: str
    subject: Subject
    alert: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """How many open alerts and how many of all checks a silence means, and some of them."""

    alerts: int
    checks: int
    total: int
    examples: list[Candidate]


class _Remembered:
    """An expression that is asked about the same few names again and again."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern, self.pattern = pattern, pattern.pattern
        self._answers: dict[str, object | None] = {}

    def fullmatch(self, text: str) -> object | None:
        if text not in self._answers:
            self._answers[text] = self._pattern.fullmatch(text)
        return self._answers[text]


def reaches(matches: Sequence[Match]) -> list[Reach]:
    """What each of these matchers means now, in their order; in three to five queries."""
    if not matches:
        return []
    total = Check.every.living().count()
    candidates = _candidates(matches)
    return [_reach(_remembering(match), candidates, total) for match in matches]


def _reach(match: Match, candidates: Sequence[Candidate], total: int) -> Reach:
    # A check that does not fail is meant when it would be, did it fail as the silence wants.
    names_only = replace(match, statuses=frozenset())
    meant = [one for one in candidates if not names_only.mismatch(one.subject)]
    silent = [one for one in meant if one.alert and not match.mismatch(one.subject)]
    known = {one.pk for one in silent}
    others = [one for one in meant if one.pk not in known]
    return Reach(len(silent), len(meant), total, [*silent, *others][:SHOWN])


def _remembering(match: Match) -> Match:
    return replace(
        match,
        patterns=tuple((name, _Remembered(one)) for name, one in match.patterns),
        metas=tuple((name, key, _Remembered(one)) for name, key, one in match.metas),
    )


def _candidates(matches: Sequence[Match]) -> list[Candidate]:
    """All checks that may be meant, worst first; what only some matchers need is read for those."""
    node_meta = _node_meta() if _some_need(matches, "node_meta") else {}
    service_meta = _service_meta() if _some_need(matches, "service_meta") else {}
    alerts = {
        check: (alert, status)
        for check, alert, status in Alert.objects.open().values_list("check_ref", "pk", "status")
    }
    columns = _COLUMNS
    if any(name == "output" for match in matches for name, _ in match.patterns):
        columns = (*_COLUMNS, "output")
    found = []
    rows = (
        Check.every.living().filter(_bounds(matches)).order_by(*WORST_FIRST).values_list(*columns)
    )
    for (
        pk,
        cluster,
        cluster_name,
        service,
        service_id,
        node,
        check,
        name,
        tags,
        state,
        *last,
    ) in rows:
        alert, status = alerts.get(pk, (None, state))
        subject = Subject(
            cluster=cluster_name,
            service=service,
            service_id=service_id,
            node=node,
            check=check,
            name=name,
            tags=tuple(tags),
            status=status,
            output=last[0] if last else "",
            service_meta=service_meta.get((cluster, node, service_id), {}),
            node_meta=node_meta.get((cluster, node), {}),
        )
        found.append(Candidate(pk, name or check, subject, alert))
    return found


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


def _some_need(matches: Iterable[Match], meta: str) -> bool:
    return any(match.needs(meta) for match in matches)


def _node_meta() -> dict[tuple[int, str], dict[str, str]]:
    rows = Node.objects.values_list("cluster_id", "name", "meta")
    return {(cluster, name): meta for cluster, name, meta in rows}


def _service_meta() -> dict[tuple[int, str, str], dict[str, str]]:
    rows = Instance.objects.values_list("cluster_id", "node", "service_id", "meta")
    return {(cluster, node, service_id): meta for cluster, node, service_id, meta in rows}

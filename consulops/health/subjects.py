"""All checks as matchers see them; what only some matchers need is read for those alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db.models import Q

from consulops.health.matching import Match, Pattern, Subject
from consulops.health.models import Check, Instance, Node
from consulops.health.querysets import WORST_FIRST

_COLUMNS: tuple[str, ...] = (
    *("pk", "cluster_id", "cluster__name", "service", "service_id", "node"),
    *("check_id", "name", "tags", "status"),
)

Metas = Mapping[tuple[int | str, ...], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One check that matchers may mean, in its present status."""

    pk: int
    label: str
    subject: Subject


class _Remembered:
    """An expression that is asked about the same few names again and again."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern, self.pattern = pattern, pattern.pattern
        self._answers: dict[str, object | None] = {}

    def fullmatch(self, text: str) -> object | None:
        if text not in self._answers:
            self._answers[text] = self._pattern.fullmatch(text)
        return self._answers[text]


def remembering(match: Match) -> Match:
    """The same matchers, quicker for thousands of subjects that share their names."""
    return replace(
        match,
        patterns=tuple((name, _Remembered(one)) for name, one in match.patterns),
        metas=tuple((name, key, _Remembered(one)) for name, key, one in match.metas),
    )


def candidates(matches: Sequence[Match], only: Q | None = None) -> Iterator[Candidate]:
    """All living checks, or only some of them, worst first; in one to three queries."""
    nodes: Metas = _node_metas() if _some_need(matches, "node_meta") else {}
    services: Metas = _service_metas() if _some_need(matches, "service_meta") else {}
    columns = _COLUMNS
    if any(name == "output" for match in matches for name, _ in match.patterns):
        columns = (*_COLUMNS, "output")
    living = Check.every.living().filter(only or Q())
    rows = living.order_by(*WORST_FIRST).values_list(*columns)
    for pk, where, cluster, service, service_id, node, check, name, tags, status, *last in rows:
        subject = Subject(
            cluster=cluster,
            service=service,
            service_id=service_id,
            node=node,
            check=check,
            name=name,
            tags=tuple(tags),
            status=status,
            output=last[0] if last else "",
            service_meta=services.get((where, node, service_id), {}),
            node_meta=nodes.get((where, node), {}),
        )
        yield Candidate(pk, name or check, subject)


def _some_need(matches: Iterable[Match], meta: str) -> bool:
    return any(match.needs(meta) for match in matches)


def _node_metas() -> Metas:
    rows = Node.objects.values_list("cluster_id", "name", "meta")
    return {(cluster, name): meta for cluster, name, meta in rows}


def _service_metas() -> Metas:
    rows = Instance.objects.values_list("cluster_id", "node", "service_id", "meta")
    return {(cluster, node, service_id): meta for cluster, node, service_id, meta in rows}

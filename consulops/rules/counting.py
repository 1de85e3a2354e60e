"""The instances of services, as their checks make them, and which of them a rule counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from consulops.clusters.models import Cluster
from consulops.core.status import FAILING, LOOKS, Status, by_rank
from consulops.health.matching import BadMatch, Match, Subject, compile_match
from consulops.health.models import Instance, Node
from consulops.rules.models import ServiceRule
from consulops.rules.verdict import Counted, Measure

# An instance has no check of its own that one could name, and rules are about any state.
MATCHERS = ("cluster", "service", "service_id", "node", "tag", "service_meta", "node_meta")

_STATES = by_rank()
_MAINTENANCE = LOOKS[Status.MAINTENANCE].rank

# One row for each living instance. Maintenance wins; then the worst of its and its node's checks.
_INSTANCES = """
WITH own AS (
    SELECT service, node, service_id, max(tags) AS tags, min(rank) AS rank,
        bool_or(status = 'maintenance') AS maintained,
        (array_agg(coalesce(nullif(name, ''), check_id) ORDER BY rank, check_id))[1] AS worst
    FROM health_check
    WHERE cluster_id = %(cluster)s AND service = ANY(%(services)s)
        AND source = 'consul' AND status <> 'gone'
    GROUP BY service, node, service_id
), nodes AS (
    SELECT node, min(rank) AS rank, bool_or(status = 'maintenance') AS maintained,
        (array_agg(coalesce(nullif(name, ''), check_id) ORDER BY rank, check_id))[1] AS worst
    FROM health_check
    WHERE cluster_id = %(cluster)s AND service = ''
        AND source = 'consul' AND status <> 'gone' AND node IN (SELECT node FROM own)
    GROUP BY node
)
SELECT own.service, own.node, own.service_id, own.tags,
    CASE WHEN own.maintained OR nodes.maintained THEN %(maintenance)s
        ELSE least(own.rank, nodes.rank) END,
    CASE WHEN nodes.rank < own.rank THEN nodes.worst ELSE own.worst END
FROM own LEFT JOIN nodes ON nodes.node = own.node
"""

# The services of these nodes, and with no nodes given of the whole cluster.
_SERVICES = """
SELECT DISTINCT service FROM health_check
WHERE cluster_id = %(cluster)s AND service <> '' AND source = 'consul' AND status <> 'gone'
    AND (%(nodes)s::text[] IS NULL OR node = ANY(%(nodes)s))
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to be used."""

    pk: int
    name: str
    status: Status
    match: Match
    measure: Measure

    @classmethod
    def of(cls, row: ServiceRule) -> Rule:
        """Compiles a saved or an unsaved rule. Raises BadMatch."""
        measure = Measure(row.least_passing, row.least_percent, row.warning_passes)
        return cls(row.pk or 0, row.name, Status(row.status), compiled(row.match), measure)

    def may_mean(self, cluster: str, service: str) -> bool:
        """Whether it could count instances of this service, as far as names tell."""
        names = {"cluster": cluster, "service": service}
        return all(
            pattern.fullmatch(names[name]) is not None
            for name, pattern in self.match.patterns
            if name in names
        )


@dataclass(frozen=True, slots=True)
class Found:
    """One living instance: what matchers look at, and how it counts."""

    subject: Subject
    counted: Counted
    # Whether its service_meta has been read.
    has_meta: bool


@dataclass(slots=True)
class Count:
    """The instances that a rule counts, by service; those of which it cannot tell are left out."""

    services: dict[str, list[Counted]] = field(default_factory=dict)
    # Services with an instance whose meta is not known yet: no verdict about these.
    unclear: set[str] = field(default_factory=set)


def compiled(match: Mapping[str, Any]) -> Match:
    """A rule's matchers. Raises BadMatch, also for those that only routes have."""
    for name in match:
        if name not in MATCHERS:
            known = f"{', '.join(MATCHERS[:-1])} and {MATCHERS[-1]}"
            raise BadMatch(name, f"a service rule has no such matcher; there are {known}")
    return compile_match(match)


def services_of(cluster: Cluster, nodes: Collection[str] | None = None) -> set[str]:
    """The services with living checks on these nodes, or in the whole cluster."""
    values: dict[str, Any] = {
        "cluster": cluster.pk,
        "nodes": None if nodes is None else list(nodes),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SERVICES, values)
        return {service for (service,) in cursor.fetchall()}


def find(cluster: Cluster, services: Collection[str], rules: Sequence[Rule]) -> list[Found]:
    """The living instances of these services, with the meta that these rules look at."""
    if not services:
        return []
    values: dict[str, Any] = {
        "cluster": cluster.pk,
        "services": list(services),
        "maintenance": _MAINTENANCE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSTANCES, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    metas = _service_metas(cluster, services) if _need(rules, "service_meta") else {}
    nodes = _node_metas(cluster, {row[1] for row in rows}) if _need(rules, "node_meta") else {}
    return [
        Found(
            subject=Subject(
                cluster=cluster.name,
                service=service,
                node=node,
                check="",
                tags=tuple(tags),
                status=FAILING[0].value,
                service_id=service_id,
                service_meta=metas.get((node, service_id), {}),
                node_meta=nodes.get(node, {}),
            ),
            counted=Counted(node, service_id, _STATES[rank], worst),
            has_meta=(node, service_id) in metas,
        )
        for service, node, service_id, tags, rank, worst in rows
    ]


def count(rule: Rule, found: Iterable[Found]) -> Count:
    """The instances that this rule counts."""
    counted: defaultdict[str, list[Counted]] = defaultdict(list)
    result = Count()
    for one in found:
        subject = one.subject
        if not rule.may_mean(subject.cluster, subject.service):
            continue
        if not one.has_meta and rule.match.needs("service_meta"):
            result.unclear.add(subject.service)
        elif not rule.match.mismatch(subject):
            counted[subject.service].append(one.counted)
    result.services = {
        service: instances
        for service, instances in counted.items()
        if service not in result.unclear
    }
    return result


def _need(rules: Iterable[Rule], meta: str) -> bool:
    return any(rule.match.needs(meta) for rule in rules)


def _service_metas(
    cluster: Cluster, services: Collection[str]
) -> dict[tuple[str, str], dict[str, str]]:
    rows = Instance.objects.filter(cluster=cluster, service__in=services)
    return {
        (node, service_id): meta
        for node, service_id, meta in rows.values_list("node", "service_id", "meta")
    }


def _node_metas(cluster: Cluster, nodes: Collection[str]) -> dict[str, dict[str, str]]:
    rows = Node.objects.filter(cluster=cluster, name__in=nodes)
    return dict(rows.values_list("name", "meta"))

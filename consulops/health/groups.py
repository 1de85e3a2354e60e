"""Services and nodes as their checks make them: worst state, sizes, what is down or maintained.

A service's instance is as bad as its own checks and those of its node, as in Consul's own health
listing. Maintenance wins: what somebody is working on is expected to fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from consulops.clusters.models import Cluster
from consulops.core.status import LOOKS, Status, by_rank
from consulops.health.models import Node, Service

_STATES = by_rank()


@dataclass(frozen=True, slots=True)
class Group:
    """A service or a node of a cluster, with what its checks say of it."""

    cluster: Cluster
    name: str
    status: Status = Status.NONE
    checks: int = 0
    failing: int = 0
    # A service's instances and nodes, or a node's services.
    instances: int = 0
    nodes: int = 0
    services: int = 0
    # How many instances are in maintenance; how many nodes do not answer.
    maintained: int = 0
    down: int = 0
    tags: list[str] = field(default_factory=list)
    address: str = ""
    meta: dict[str, str] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, str, str]:
        """Worst first."""
        return LOOKS[self.status].rank, self.name, self.cluster.name

    @property
    def query(self) -> str:
        """What the address of its page asks for."""
        return query_for(self.cluster.name, self.name)

    @property
    def words(self) -> str:
        """How many of its checks fail."""
        return in_words(self.checks, self.failing, self.status)


# A page names the same services and nodes over and over.
@lru_cache(maxsize=4096)
def query_for(cluster: str, name: str) -> str:
    """The query string that names a service or a node of a cluster."""
    return f"?{urlencode({'cluster': cluster, 'name': name})}"


def in_words(checks: int, failing: int, status: str) -> str:
    """A count of checks as a person says it; "passing" only when the state says so too."""
    if not checks:
        return "No checks"
    noun = "check" if checks == 1 else "checks"
    if failing:
        return f"{failing} of {checks} {noun} failing"
    if status == Status.PASSING:
        return "The only check is passing" if checks == 1 else f"All {checks} checks passing"
    return f"None of {checks} {noun} failing" if checks > 1 else "Its check is not failing"


def services(clusters: Mapping[int, Cluster], name: str | None = None) -> list[Group]:
    """The services of these clusters (or the one of this name): with checks, or in the catalog."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in Service.objects.filter(cluster__in=clusters, **_named(name)):
        found[row.cluster_id, row.name] = {"tags": row.tags}
    for cluster, service, rank, *numbers in _rows(_SERVICES, clusters, name):
        names = ("instances", "nodes", "checks", "failing", "maintained", "down")
        facts = {"status": _STATES[rank], **dict(zip(names, numbers, strict=True))}
        found.setdefault((cluster, service), {}).update(facts)
    return _groups(clusters, found)


def nodes(clusters: Mapping[int, Cluster], name: str | None = None) -> list[Group]:
    """The nodes of these clusters (or the one of this name): with checks, or in the catalog."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in Node.objects.filter(cluster__in=clusters, **_named(name)):
        found[row.cluster_id, row.name] = {"address": row.address, "meta": row.meta}
    for cluster, node, rank, *numbers in _rows(_NODES, clusters, name):
        names = ("services", "checks", "failing", "maintained", "down")
        facts = {"status": _STATES[rank], **dict(zip(names, numbers, strict=True))}
        found.setdefault((cluster, node), {}).update(facts)
    return _groups(clusters, found)


def _groups(
    clusters: Mapping[int, Cluster], found: Mapping[tuple[int, str], dict[str, Any]]
) -> list[Group]:
    groups = [Group(clusters[pk], name, **facts) for (pk, name), facts in found.items()]
    return sorted(groups, key=lambda group: group.order)


def _named(name: str | None) -> dict[str, str]:
    return {} if name is None else {"name": name}


def _rows(query: str, clusters: Iterable[int], name: str | None) -> list[tuple[Any, ...]]:
    values = {"clusters": list(clusters), "name": name, "maintenance": _MAINTENANCE}
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


_MAINTENANCE = LOOKS[Status.MAINTENANCE].rank

# One row for each service instance, and for each node's own checks (service = '').
_INSTANCES = """
SELECT cluster_id, node, service, service_id, min(rank) AS rank,
    bool_or(status = 'maintenance') AS maintained,
    bool_or(check_id = 'serfHealth' AND status = 'critical') AS down,
    count(*) AS checks, count(*) FILTER (WHERE status IN ('critical', 'warning')) AS failing
FROM health_check
WHERE source = 'consul' AND status <> 'gone' AND cluster_id = ANY(%(clusters)s) {only}
GROUP BY cluster_id, node, service, service_id
"""

_SERVICES = (
    "WITH instance AS ("
    + _INSTANCES.format(only="AND (%(name)s::text IS NULL OR service IN (%(name)s, ''))")
    + """)
SELECT i.cluster_id, i.service,
    min(CASE WHEN i.maintained OR n.maintained THEN %(maintenance)s ELSE least(i.rank, n.rank) END),
    count(*), count(DISTINCT i.node), sum(i.checks)::int, sum(i.failing)::int,
    count(*) FILTER (WHERE i.maintained OR n.maintained),
    count(DISTINCT i.node) FILTER (WHERE n.down)
FROM instance i LEFT JOIN instance n
    ON n.cluster_id = i.cluster_id AND n.node = i.node AND n.service = ''
WHERE i.service <> ''
GROUP BY i.cluster_id, i.service
"""
)

_NODES = (
    "WITH instance AS ("
    + _INSTANCES.format(only="AND (%(name)s::text IS NULL OR node = %(name)s)")
    + """)
SELECT cluster_id, node,
    CASE WHEN bool_or(maintained AND service = '') THEN %(maintenance)s
        ELSE min(CASE WHEN maintained THEN %(maintenance)s ELSE rank END) END,
    count(DISTINCT service) FILTER (WHERE service <> ''),
    sum(checks)::int, sum(failing)::int,
    (bool_or(maintained AND service = ''))::int, (bool_or(down AND service = ''))::int
FROM instance
GROUP BY cluster_id, node
"""
)

"""Checks and changes as tables and timelines show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from django.db.models.functions import Left

from consulops.clusters.models import Cluster
from consulops.core.status import FAILING, LOOKS, Status, worst
from consulops.health.bars import Bar, bars_for, is_old
from consulops.health.groups import query_for
from consulops.health.models import Check, Transition
from consulops.health.querysets import CheckQuerySet

_EXCERPT = 160
# What one entry of a timeline carries of its output; the whole of it may have 64 KB.
OUTPUT_SHOWN = 8000
NEIGHBOURS = 15
AROUND = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check of a table."""

    check: Check
    bar: Bar
    # Nobody knows whether this is still so.
    is_old: bool

    @property
    def service_query(self) -> str:
        """What the address of its service's page asks for."""
        return query_for(self.check.cluster.name, self.check.service)

    @property
    def node_query(self) -> str:
        """What the address of its node's page asks for."""
        return query_for(self.check.cluster.name, self.check.node)

    @property
    def excerpt(self) -> str:
        """The first words of what a failing check says."""
        if self.check.status not in FAILING:
            return ""
        text = str(getattr(self.check, "excerpt", ""))
        return next((line for line in text.splitlines() if line.strip()), "")


def check_facts(checks: CheckQuerySet) -> Iterator[dict[str, Any]]:
    """These checks as a file has them, worst first."""
    for row in checks.worst_first().select_related("cluster").iterator(chunk_size=500):
        yield {
            "id": row.pk,
            "cluster": row.cluster.name,
            "status": row.status,
            "since": row.since,
            "node": row.node,
            "service": row.service,
            "service_id": row.service_id,
            "check": row.check_id,
            "name": row.name,
            "tags": row.tags,
            "output": row.output,
            "notes": row.notes,
            "first_seen_at": row.first_seen_at,
        }


def lean(checks: CheckQuerySet) -> CheckQuerySet:
    """Without the long texts, but with the first words of the output."""
    return checks.defer("output", "notes", "tags").annotate(excerpt=Left("output", _EXCERPT))


class _OfCluster(Protocol):
    cluster_id: int
    cluster: Any


Thing = TypeVar("Thing", bound=_OfCluster)


def named(things: Iterable[Thing], clusters: Iterable[Cluster]) -> list[Thing]:
    """These rows with their clusters, which are few and read already, in place."""
    known = {cluster.pk: cluster for cluster in clusters}
    found = list(things)
    for thing in found:
        thing.cluster = known[thing.cluster_id]
    return found


def check_rows(
    checks: Iterable[Check], clusters: Mapping[int, Cluster], now: datetime
) -> list[CheckRow]:
    """The rows of these checks. The clusters, with their state, are those of the checks."""
    checks = named(checks, clusters.values())
    bars = bars_for(checks, now)
    return [CheckRow(check, bars[check.pk], is_old(check.cluster, now)) for check in checks]


# Node, service and service id; a node's own checks have no service.
InstanceKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a service (or a node's own checks) with its checks, worst first."""

    node: str
    service: str
    service_id: str
    status: Status
    rows: list[CheckRow]

    @property
    def order(self) -> tuple[int, str, str]:
        """Worst first."""
        return LOOKS[self.status].rank, self.node, self.service_id


def instances_of_service(rows: Iterable[CheckRow]) -> list[Instance]:
    """A service's instances, worst first; to each are added the given checks of its node."""
    found = _by_instance(rows)
    of_nodes = {key[0]: mine for key, mine in found.items() if not key[1]}
    return _sorted({key: mine + of_nodes.get(key[0], []) for key, mine in found.items() if key[1]})


def instances_of_node(rows: Iterable[CheckRow]) -> list[Instance]:
    """What a node's checks belong to: the node itself first, then its services, worst first."""
    found = _sorted(_by_instance(rows))
    return sorted(found, key=lambda instance: instance.service != "")


def _by_instance(rows: Iterable[CheckRow]) -> dict[InstanceKey, list[CheckRow]]:
    found: defaultdict[InstanceKey, list[CheckRow]] = defaultdict(list)
    for row in rows:
        found[row.check.node, row.check.service, row.check.service_id].append(row)
    return found


def _sorted(found: Mapping[InstanceKey, list[CheckRow]]) -> list[Instance]:
    arranged = [
        Instance(*key, together([row.check for row in mine]), mine) for key, mine in found.items()
    ]
    return sorted(arranged, key=lambda instance: instance.order)


def together(checks: Iterable[Check]) -> Status:
    """The state of what has these checks."""
    states = [check.status for check in checks]
    return Status.MAINTENANCE if Status.MAINTENANCE in states else worst(states)


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of a check in its timeline, and how long the new state lasted."""

    change: Transition
    ended: datetime | None
    output: str

    @property
    def lasted(self) -> timedelta | None:
        """None while it lasts."""
        return self.ended - self.change.at if self.ended else None


def moments(changes: Sequence[Transition], newer: Transition | None) -> list[Moment]:
    """The timeline of one check, newest first. `newer` is the change after the first of these.

    The changes come with their output cut to `shown`.
    """
    ends: list[datetime | None] = [newer.at if newer else None]
    ends += [change.at for change in changes]
    return [
        Moment(change, end, str(getattr(change, "shown", "")))
        for change, end in zip(changes, ends, strict=False)
    ]


def around(check: Check, moment: datetime) -> list[Transition]:
    """What else changed in the cluster within five minutes of a moment: the nearest, newest first.

    Two index scans, whatever happened in those minutes.
    """
    others = Transition.objects.told().filter(cluster=check.cluster_id).exclude(check_ref=check)
    after = others.filter(at__gte=moment, at__lte=moment + AROUND).order_by("at", "id")
    before = others.filter(at__lt=moment, at__gte=moment - AROUND).order_by("-at", "-id")
    return [*reversed(after[:NEIGHBOURS]), *before[:NEIGHBOURS]]

"""Every write to checks and their history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.clusters.services import saw_event
from consulops.core import bulk
from consulops.core.batches import delete_in_batches
from consulops.core.status import LOOKS, Status
from consulops.health import hours
from consulops.health.models import Check, CheckHour, Node, Service, Source, Transition
from consulops.health.observation import Key, Observation, cut, short
from consulops.health.picture import Known
from consulops.health.signals import metas_changed, transitions_recorded
from consulops.live.services import publish

# What may change without a change of status.
_DETAILS = ("name", "service_id", "service", "tags", "output", "notes", "modify_index")
_STATUS = ("status", "rank", "since")
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Recording:
    """Where changes belong: cluster, the lease's fence, whether and by whom they were seen."""

    cluster: Cluster
    fence: Callable[[], None]
    watched: bool = True
    source: Source = Source.CONSUL


def known_checks(cluster_id: int) -> dict[Key, Known]:
    """What the database knows of a cluster's checks: what a starting watcher compares with."""
    rows = Check.objects.filter(cluster_id=cluster_id).values_list(
        "node", "check_id", "modify_index", "status"
    )
    return {(node, check_id): Known(index, status) for node, check_id, index, status in rows}


def record(
    where: Recording, seen: Sequence[Observation], gone: Iterable[Key] = ()
) -> list[Transition]:
    """Stores what changed, appends the transitions and makes their alerts, in one transaction.

    Raises LeaseLost (from the fence) and then has stored nothing.
    """
    now = timezone.now()
    with transaction.atomic():
        where.fence()
        before = _present(where.cluster.pk, [one.key for one in seen])
        moved = [one for one in seen if _status_in(before, one.key) != one.status]
        same = [one for one in seen if _status_in(before, one.key) == one.status]
        _store(where, same, before, _DETAILS, now)
        checks = _store(where, moved, before, _DETAILS + _STATUS, now)
        _close_hours([before[one.key] for one in moved if one.key in before], now)
        transitions = [
            _transition(where, check, _status_in(before, (check.node, check.check_id)) or "", now)
            for check in checks
            if _is_news(_status_in(before, (check.node, check.check_id)), check.status)
        ]
        transitions += _let_go(where, gone, now)
        _append(transitions)
        if where.source is Source.CONSUL:
            saw_event(where.cluster.pk, now)
        publish("checks")
    return transitions


def count_anew() -> None:
    """Lets PostgreSQL count rows that came in great number: until then it plans for a few.

    By itself it would do so within a minute, in which pages took a second and more.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE health_check, health_node, health_service")


def _present(cluster_id: int, keys: Iterable[Key]) -> dict[Key, Check]:
    """These checks as they are stored; locked, since status and transition must agree."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = Check.every.filter(
        cluster_id=cluster_id,
        node__in={node for node, _ in wanted},
        check_id__in={check_id for _, check_id in wanted},
    ).select_for_update()
    return {(row.node, row.check_id): row for row in rows if (row.node, row.check_id) in wanted}


def _status_in(before: Mapping[Key, Check], key: Key) -> str | None:
    return before[key].status if key in before else None


def _close_hours(before: Iterable[Check], now: datetime) -> None:
    """Adds the time in the state that ends now to the hours of that state."""
    CheckHour.objects.add(
        [
            (check.pk, share)
            for check in before
            for share in hours.split(check.status, check.since, now)
        ]
    )


def _store(
    where: Recording,
    seen: Sequence[Observation],
    before: Mapping[Key, Check],
    fields: Sequence[str],
    now: datetime,
) -> list[Check]:
    checks = [
        Check(
            pk=before[one.key].pk if one.key in before else None,
            cluster=where.cluster,
            node=one.node,
            check_id=one.check_id,
            source=where.source,
            name=one.name,
            service_id=one.service_id,
            service=one.service,
            tags=list(one.tags),
            status=one.status,
            rank=LOOKS[one.status].rank,
            since=now,
            output=one.output,
            notes=one.notes,
            modify_index=one.modify_index,
            first_seen_at=now,
        )
        for one in seen
    ]
    known = [check for check in checks if check.pk is not None]
    bulk.insert([check for check in checks if check.pk is None])
    bulk.update(known, fields)
    return checks


def _is_news(before: str | None, status: str) -> bool:
    """A check that is new and well has no history yet; everything else that moved is news."""
    return before is not None or status not in (Status.PASSING, Status.GONE)


def _transition(where: Recording, check: Check, previous: str, now: datetime) -> Transition:
    return Transition(
        check_ref=check,
        cluster=where.cluster,
        at=now,
        previous=previous,
        status=check.status,
        output=check.output,
        modify_index=check.modify_index,
        watched=where.watched,
    )


def _let_go(where: Recording, keys: Iterable[Key], now: datetime) -> list[Transition]:
    """Marks deregistered checks as gone; their history stays."""
    checks = list(_present(where.cluster.pk, keys).values())
    _close_hours(checks, now)
    transitions = []
    for check in checks:
        previous, check.status = check.status, Status.GONE
        check.rank, check.since, check.output = LOOKS[Status.GONE].rank, now, ""
        transitions.append(_transition(where, check, previous, now))
    bulk.update(checks, (*_STATUS, "output"))
    return transitions


def _append(transitions: list[Transition]) -> None:
    if transitions:
        bulk.insert(transitions)
        transitions_recorded.send(sender=Transition, transitions=transitions)


def store_nodes(where: Recording, listing: Sequence[Mapping[str, Any]]) -> None:
    """Makes the cluster's node rows equal to Consul's catalog."""
    nodes = {}
    for entry in listing:
        meta = entry.get("Meta")
        node = Node(
            cluster_id=where.cluster.pk,
            name=short(str(entry.get("Node", ""))),
            address=short(str(entry.get("Address", ""))),
            meta=_clean(meta) if isinstance(meta, dict) else {},
        )
        nodes[node.name] = node
    with transaction.atomic():
        where.fence()
        present = Node.objects.filter(cluster_id=where.cluster.pk)
        before = dict(present.values_list("name", "meta"))
        present.exclude(name__in=nodes).delete()
        Node.objects.bulk_create(
            nodes.values(),
            update_conflicts=True,
            unique_fields=("cluster", "name"),
            update_fields=("address", "meta"),
            batch_size=_CHUNK,
        )
        other = {name for name, node in nodes.items() if before.get(name, {}) != node.meta}
        if other:
            what = {"meta": "node_meta", "cluster_id": where.cluster.pk, "nodes": other}
            metas_changed.send(sender=Node, **what)
        publish("checks")


def store_services(where: Recording, listing: Mapping[str, Any]) -> None:
    """Makes the cluster's service rows equal to Consul's catalog (name to tags)."""
    services = {
        short(name): Service(
            cluster_id=where.cluster.pk,
            name=short(name),
            tags=[short(str(tag)) for tag in tags] if isinstance(tags, list) else [],
        )
        for name, tags in listing.items()
    }
    with transaction.atomic():
        where.fence()
        Service.objects.filter(cluster_id=where.cluster.pk).exclude(name__in=services).delete()
        Service.objects.bulk_create(
            services.values(),
            update_conflicts=True,
            unique_fields=("cluster", "name"),
            update_fields=("tags",),
            batch_size=_CHUNK,
        )
        publish("checks")


def _clean(meta: Mapping[str, Any]) -> dict[str, str]:
    return {cut(str(key)): cut(str(value)) for key, value in meta.items()}


def prune(now: datetime) -> dict[str, int]:
    """Removes history beyond its retention and checks gone for as long; returns what went."""
    limit = now - timedelta(days=settings.RETENTION_DAYS)
    old = {
        "transitions": Transition.objects.filter(at__lt=limit),
        "hours": CheckHour.objects.filter(hour__lt=limit),
        "checks": Check.every.filter(status=Status.GONE, since__lt=limit),
    }
    return {name: delete_in_batches(rows) for name, rows in old.items()}

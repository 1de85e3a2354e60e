"""Reads what the watchdog judges: a handful of queries, however many clusters there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max

from consulops.alerts import outbox
from consulops.alerts.models import Attempt
from consulops.clusters.models import Cluster
from consulops.health.models import Check, Source
from consulops.loops.models import Lease, Supervisor
from consulops.notifiers.models import Notifier
from consulops.watchdog.judgement import NOTIFIER, ClusterFacts, NotifierFacts, Terms, Watcher
from consulops.watchdog.models import Watchdog

# No attempt lasts longer than a notifier's longest timeout.
LONGEST_ATTEMPT = timedelta(seconds=120)

# The oldest waiting message of each notifier. A notifier's own alert, told to itself, does not
# count: it would keep itself alive.
_OLDEST = """
SELECT delivery.notifier_id, min(delivery.created_at) FROM alerts_delivery AS delivery
WHERE delivery.state IN ('queued', 'retrying') AND delivery.created_at <= %(until)s
    AND delivery.notifier_id IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM alerts_delivery_alerts AS link
        JOIN alerts_alert AS alert ON alert.id = link.alert_id
        JOIN health_check AS ours ON ours.id = alert.check_id
        WHERE link.delivery_id = delivery.id AND ours.source = 'consulops'
            AND ours.check_id = %(prefix)s || delivery.notifier_id)
GROUP BY delivery.notifier_id
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything at one moment."""

    now: datetime
    terms: Terms
    clusters: dict[int, Cluster]
    cluster_facts: dict[int, ClusterFacts]
    notifiers: list[NotifierFacts]
    # Our checks that are there now: by cluster and id; those of nobody stand under ourselves.
    checks: Mapping[int, Mapping[str, Check]] = field(default_factory=dict)


def read(now: datetime) -> Facts:
    """The facts of this moment."""
    settings = Watchdog.load()
    terms = Terms(
        timedelta(seconds=settings.unreachable_after_s),
        timedelta(seconds=settings.delivery_after_s),
    )
    checks = our_checks()
    clusters = {one.pk: one for one in Cluster.objects.filter(enabled=True).select_related("state")}
    leases = Lease.objects.in_bulk([f"checks:{pk}" for pk in clusters])
    return Facts(
        now=now,
        terms=terms,
        clusters=clusters,
        cluster_facts={
            pk: _cluster_facts(one, leases.get(f"checks:{pk}"), _states(checks, pk), now)
            for pk, one in clusters.items()
        },
        notifiers=_notifiers(terms, now, checks),
        checks=checks,
    )


def our_checks() -> dict[int, dict[str, Check]]:
    """The watchdog's living checks, by cluster and id."""
    found: defaultdict[int, dict[str, Check]] = defaultdict(dict)
    # Only our own checks have no node, which makes this a short walk in an index.
    rows = Check.every.filter(cluster__in=Cluster.every.all(), node="", source=Source.CONSULOPS)
    for check in rows.living().select_related("cluster"):
        found[check.cluster_id][check.check_id] = check
    return found


def _states(checks: Mapping[int, Mapping[str, Check]], cluster: int) -> dict[str, str]:
    return {name: check.status for name, check in checks.get(cluster, {}).items()}


def _cluster_facts(
    cluster: Cluster, lease: Lease | None, before: dict[str, str], now: datetime
) -> ClusterFacts:
    state = cluster.state
    return ClusterFacts(
        settled_at=cluster.updated_at,
        answered_at=state.answered_at,
        error=state.error,
        probed_at=state.probed_at,
        leader=state.leader,
        peers=len(state.peers),
        failure_tolerance=state.failure_tolerance,
        watcher=_watcher(lease, cluster, now) if lease else None,
        before=before,
    )


def _watcher(lease: Lease, cluster: Cluster, now: datetime) -> Watcher:
    held = bool(lease.owner) and lease.expires_at > now
    since = (lease.started_at or cluster.updated_at) if held else lease.expires_at
    return Watcher(held, since, lease.error, lease.error_at)


def _notifiers(
    terms: Terms, now: datetime, checks: Mapping[int, Mapping[str, Check]]
) -> list[NotifierFacts]:
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, {"until": now - terms.delivery_after, "prefix": NOTIFIER})
        oldest: dict[int, datetime] = dict(cursor.fetchall())
    before = {name: check.status for ours in checks.values() for name, check in ours.items()}
    return [
        NotifierFacts(
            pk=one.pk,
            name=one.name,
            error=one.error,
            is_permanent=one.error_is_permanent,
            oldest=oldest.get(one.pk),
            before=before.get(f"{NOTIFIER}{one.pk}", ""),
        )
        for one in Notifier.objects.filter(enabled=True)
    ]


def is_courier_stuck(terms: Terms, now: datetime) -> bool:
    """Whether messages are due that nobody even tries to send."""
    lease = Lease.objects.filter(pk="courier").first()
    if lease is None or lease.expires_at <= now - terms.delivery_after:
        return True
    limit = now - terms.delivery_after - LONGEST_ATTEMPT
    if not any(one.delivery.next_attempt_at <= limit for one in outbox.due(())):
        return False
    last = Attempt.objects.aggregate(at=Max("at"))["at"]
    return last is None or last <= limit


def last_beat() -> datetime | None:
    """When a supervisor last said that it lives; those long dead are forgotten."""
    beat: datetime | None = Supervisor.objects.aggregate(at=Max("beat_at"))["at"]
    return beat

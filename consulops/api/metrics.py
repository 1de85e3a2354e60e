"""The numbers of the product for Prometheus, read from PostgreSQL when it asks.

Each web process answers the same, because nothing is counted in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone
from django_q.models import OrmQ
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consulops.alerts.models import WAITING, Alert, Delivery
from consulops.clusters.models import Cluster
from consulops.health.models import Check
from consulops.loops.models import Lease, Supervisor
from consulops.notifiers.models import Notifier

# Counting all deliveries of a year would take seconds.
RECENT = timedelta(hours=1)


def exposition() -> tuple[str, str]:
    """The text of /metrics and its content type; eight queries."""
    registry = CollectorRegistry()
    registry.register(_Database())
    return generate_latest(registry).decode(), CONTENT_TYPE_LATEST


class _Database(Collector):
    def describe(self) -> list[GaugeMetricFamily]:
        # Without this the registry would collect once just to learn the names.
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _checks()
        yield _alerts()
        yield _deliveries()
        yield _notifiers()
        yield from _clusters()
        yield _supervisors()
        yield _leases()
        yield _queue()


def _checks() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "consulops_checks", "Health checks by cluster and status.", labels=["cluster", "status"]
    )
    rows = Check.objects.values_list("cluster__name", "status").annotate(Count("pk"))
    for cluster, status, count in rows.order_by():
        family.add_metric([cluster, status], count)
    return family


def _alerts() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "consulops_alerts_open",
        "Open alerts by cluster, status and whether somebody looks after them.",
        labels=["cluster", "status", "acknowledged"],
    )
    rows = Alert.objects.filter(resolved_at__isnull=True).values_list(
        "cluster__name", "status", "acknowledged_at"
    )
    counts = Counter((cluster, status, at is not None) for cluster, status, at in rows.order_by())
    for (cluster, status, acknowledged), count in counts.items():
        family.add_metric([cluster, status, str(acknowledged).lower()], count)
    return family


def _deliveries() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "consulops_deliveries",
        "Messages by state: those that wait, and those made in the last hour.",
        labels=["state"],
    )
    counted = Q(state__in=WAITING) | Q(created_at__gt=timezone.now() - RECENT)
    rows = Delivery.objects.filter(counted).values_list("state").annotate(Count("pk"))
    for state, count in rows.order_by():
        family.add_metric([state], count)
    return family


def _notifiers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "consulops_notifier_failing",
        "1 when the last message to this notifier failed, 0 when it was taken.",
        labels=["notifier", "kind", "permanent"],
    )
    rows = Notifier.objects.filter(enabled=True).values_list(
        "name", "kind", "error", "error_is_permanent"
    )
    for name, kind, error, permanent in rows:
        family.add_metric([name, kind, str(permanent).lower()], 1 if error else 0)
    return family


def _clusters() -> Iterator[GaugeMetricFamily]:
    age = GaugeMetricFamily(
        "consulops_cluster_answer_age_seconds",
        "Seconds since Consul last answered the check watcher; absent when it never has.",
        labels=["cluster"],
    )
    failing = GaugeMetricFamily(
        "consulops_cluster_failing",
        "1 when the last question to this cluster failed.",
        labels=["cluster"],
    )
    now = timezone.now()
    rows = Cluster.objects.filter(enabled=True).values_list(
        "name", "state__answered_at", "state__error"
    )
    for name, answered_at, error in rows:
        failing.add_metric([name], 1 if error else 0)
        if answered_at:
            age.add_metric([name], max(0.0, (now - answered_at).total_seconds()))
    yield age
    yield failing


def _supervisors() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "consulops_supervisors", "Supervisors alive.", Supervisor.objects.alive().count()
    )


def _leases() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "consulops_leases", "Loops by whether a worker runs them now.", labels=["state"]
    )
    now = timezone.now()
    ends = Lease.objects.values_list("expires_at", flat=True)
    states = Counter("held" if end > now else "free" for end in ends)
    for state in ("held", "free"):
        family.add_metric([state], states[state])
    return family


def _queue() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "consulops_queue_tasks", "Tasks that wait or run, by queue.", labels=["queue"]
    )
    keys = OrmQ.objects.values_list("key", flat=True)
    # "watch@…" is the mailbox of one process: its name would be a new series at each start.
    for queue, count in Counter(key.partition("@")[0] for key in keys).items():
        family.add_metric([queue], count)
    return family

"""What the watchdog looks at, and what it says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from consulops.alerts.models import Alert
from consulops.clusters.models import Cluster, ClusterState
from consulops.health.models import Check, Source
from consulops.loops.models import Lease
from consulops.watchdog import facts, services
from consulops.watchdog.judgement import Patience

LONG_AGO = timedelta(days=1)


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def state(cluster: Cluster, **changes: Any) -> None:
    """Makes a cluster one of three servers with which all is well, but for these."""
    values: dict[str, Any] = {
        "answered_at": ago(1),
        "probed_at": ago(1),
        "error": "",
        "leader": "10.0.0.1:8300",
        "peers": ["a", "b", "c"],
        "failure_tolerance": 1,
    }
    ClusterState.objects.filter(pk=cluster.pk).update(**{**values, **changes})
    Cluster.objects.filter(pk=cluster.pk).update(updated_at=ago(9999))


def hold_lease(key: str, **changes: Any) -> None:
    """Somebody runs this loop, for long."""
    values: dict[str, Any] = {
        "owner": "somebody",
        "epoch": 3,
        "expires_at": timezone.now() + timedelta(minutes=5),
        "started_at": ago(300),
    }
    Lease.objects.update_or_create(key=key, defaults={**values, **changes})


def look() -> int:
    """One round of the watchdog, which has been running for long."""
    now = timezone.now()
    return services.look(facts.read(now), Patience(), now - LONG_AGO, lambda: None)


def said() -> dict[str, str]:
    """What the watchdog's checks say, by cluster and id."""
    rows = Check.every.filter(source=Source.CONSULOPS).select_related("cluster")
    return {f"{row.cluster.name} {row.check_id.partition(':')[2]}": row.status for row in rows}


def open_alerts() -> set[str]:
    rows = Alert.objects.filter(resolved_at=None, check_ref__source=Source.CONSULOPS)
    return set(rows.values_list("check_ref__check_id", flat=True))

"""Clusters in every state, and what stands in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from consulops.clusters.models import Cluster, ClusterState
from consulops.core.status import LOOKS, Status
from consulops.health.models import Check, Transition

ADDRESS = "http://127.0.0.1:8500"
TOKEN = "7e1c4b0a-5f8e-4b57-9d6a-cluster-token"
PEERS = ["10.0.0.1:8300", "10.0.0.2:8300", "10.0.0.3:8300"]


def make_cluster(name: str = "dc1", **settings: Any) -> Cluster:
    """A cluster of which nothing is known yet."""
    return Cluster.objects.create(name=name, **({"address": ADDRESS} | settings))


def make_healthy(name: str = "dc1", **settings: Any) -> Cluster:
    """A cluster that answered just now: three servers, one may fail."""
    cluster = make_cluster(name, **settings)
    now = timezone.now()
    known(
        cluster,
        answered_at=now,
        probed_at=now,
        datacenter=name,
        version="1.8.7",
        leader=f"10.0.{cluster.pk}.1:8300",
        peers=PEERS,
        failure_tolerance=1,
    )
    return cluster


def known(cluster: Cluster, **facts: Any) -> None:
    """Writes what is known of a cluster."""
    ClusterState.objects.filter(pk=cluster.pk).update(**facts)


def make_check(
    cluster: Cluster, status: Status = Status.PASSING, check_id: str = "web-1-http", **more: Any
) -> Check:
    """A check that has been in its state for a minute."""
    since: datetime = timezone.now() - timedelta(minutes=1)
    values: dict[str, Any] = {"node": "n1", "name": "HTTP", "service": "web"} | more
    return Check.objects.create(
        cluster=cluster,
        check_id=check_id,
        status=status,
        rank=LOOKS[status].rank,
        since=since,
        first_seen_at=since,
        **values,
    )


def make_transition(check: Check, previous: Status = Status.PASSING) -> Transition:
    """The change that brought a check into its present state."""
    return Transition.objects.create(
        check_ref=check,
        cluster=check.cluster,
        at=check.since,
        previous=previous,
        status=check.status,
    )

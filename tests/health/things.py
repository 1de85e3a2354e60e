"""Clusters, checks and history for the tests of the health pages."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from django.utils import timezone

from consulops.clusters.models import Cluster, ClusterState
from consulops.core.status import LOOKS, Status
from consulops.health.models import Check, CheckHour, Node, Service, Transition

# What a name may hold, and a page must neither run nor lose.
ODD = "a/b c\"d'<script>alert(1)</script>é&x=1#?%2F"


def make_cluster(name: str = "dc1", *, answered: float | None = 1, **settings: Any) -> Cluster:
    """A cluster that answered so many seconds ago; None: never."""
    cluster = Cluster.objects.create(name=name, address="http://127.0.0.1:8500", **settings)
    if answered is not None:
        at = timezone.now() - timedelta(seconds=answered)
        ClusterState.objects.filter(pk=cluster.pk).update(answered_at=at, probed_at=at)
    return cluster


def make_check(
    cluster: Cluster,
    status: Status = Status.PASSING,
    check_id: str = "web-1-http",
    *,
    minutes: float = 10,
    **more: Any,
) -> Check:
    """A check of the service web on n1 that has been in its state for so long."""
    since: datetime = timezone.now() - timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "node": "n1",
        "name": f"HTTP of {check_id}",
        "service": "web",
        "service_id": "web-1",
        "first_seen_at": since,
    }
    return Check.objects.create(
        cluster=cluster,
        check_id=check_id,
        status=status,
        rank=LOOKS[status].rank,
        since=since,
        **(values | more),
    )


def make_node_check(cluster: Cluster, status: Status = Status.PASSING, **more: Any) -> Check:
    """Serf's check of n1."""
    values = {"name": "Serf Health Status", "service": "", "service_id": ""}
    return make_check(cluster, status, more.pop("check_id", "serfHealth"), **(values | more))


def make_change(
    check: Check, previous: str, status: str, minutes: float, **more: Any
) -> Transition:
    """A change so many minutes ago."""
    return Transition.objects.create(
        check_ref=check,
        cluster=check.cluster,
        at=timezone.now() - timedelta(minutes=minutes),
        previous=previous,
        status=status,
        **more,
    )


def make_hour(check: Check, hours_ago: int, **seconds: float) -> CheckHour:
    """Time that a check was not well, some hours ago."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours_ago)
    return CheckHour.objects.create(check_ref=check, hour=hour, **seconds)


def fill(cluster: Cluster, number: int = 100) -> list[Check]:
    """Many checks in all states, in ten services on ten nodes, with history; and their catalog."""
    states = [Status.PASSING, Status.CRITICAL, Status.WARNING, Status.UNKNOWN, Status.MAINTENANCE]
    checks = [
        make_check(
            cluster,
            states[number % len(states)],
            f"check-{number}",
            service=f"service-{number % 10}",
            service_id=f"service-{number % 10}",
            node=f"node-{number // 10}",
        )
        for number in range(number)
    ]
    for check in checks[::3]:
        make_change(check, "passing", check.status, 10)
        make_hour(check, 2, critical_s=60)
    Node.objects.bulk_create(Node(cluster=cluster, name=f"node-{one}") for one in range(10))
    Service.objects.bulk_create(
        Service(cluster=cluster, name=f"service-{one}") for one in range(10)
    )
    return checks


def address(page: str, cluster: Cluster, name: str) -> str:
    """The address of a service's or a node's page."""
    return f"/{page}/?{urlencode({'cluster': cluster.name, 'name': name})}"


def text_of(client: Client, address: str) -> str:
    """The page's source. Fails when there is no such page."""
    response = client.get(address)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def rows_of(client: Client, address: str) -> list[dict[str, Any]]:
    """The rows of the page's JSON."""
    joint = "&" if "?" in address else "?"
    answer = client.get(f"{address}{joint}format=json")
    found: list[dict[str, Any]] = json.loads(answer.getvalue())
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def links_of(client: Client, address: str) -> list[str]:
    """The targets of the page's links, as a browser reads them."""
    parser = _Links()
    parser.feed(text_of(client, address))
    return parser.found

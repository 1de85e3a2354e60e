"""Services with instances, and rules about them."""

from __future__ import annotations

from typing import Any

from consulops.alerts.models import Alert
from consulops.clusters.models import Cluster
from consulops.health.models import Check, Source
from consulops.health.observation import Observation
from consulops.rules.models import ServiceRule
from consulops.rules.services import save_rule
from tests.alerts.factories import TEST, observation, see


def instance(
    number: int, status: str = "passing", service: str = "web", **more: Any
) -> Observation:
    """The check of the instance of this number, which has a node of its own."""
    values = {
        "node": f"n{number}",
        "service": service,
        "service_id": f"{service}-{number}",
        "name": "HTTP",
    }
    return observation(f"{service}-{number}-http", status, **(values | more))


def node_check(number: int, status: str, check: str = "serfHealth") -> Observation:
    """A check of a node itself."""
    values = {"service": "", "service_id": "", "name": "Serf"}
    return observation(check, status, node=f"n{number}", **values)


def run_instances(cluster: Cluster, count: int = 4, service: str = "web") -> None:
    """So many passing instances."""
    see(cluster, *(instance(number, service=service) for number in range(1, count + 1)))


def break_instance(cluster: Cluster, number: int, status: str = "critical", **more: Any) -> None:
    see(cluster, instance(number, status, **more))


def make_rule(name: str = "enough", **values: Any) -> ServiceRule:
    """A rule about the service web; at least three instances unless said otherwise."""
    if "least_percent" not in values:
        values.setdefault("least_passing", 3)
    return save_rule(TEST, name, {"match": {"service": "web"}, **values})[0]


def verdicts(service: str = "web") -> list[tuple[str, str]]:
    """Status and words of what rules say of a service."""
    rows = Check.every.filter(source=Source.RULE, service=service).order_by("check_id")
    return [(row.status, row.output) for row in rows]


def open_alerts() -> list[str]:
    """The checks that have an open alert."""
    rows = Alert.objects.filter(resolved_at=None, check_ref__source=Source.RULE)
    return sorted(rows.values_list("check_ref__check_id", flat=True))

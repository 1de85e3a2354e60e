"""What load balancers and Prometheus ask, without a login."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from consulops.alerts.models import Alert, Delivery
from consulops.api import readiness
from consulops.clusters.models import Cluster, ClusterState
from consulops.core.status import LOOKS, Status
from consulops.health.models import Check
from consulops.loops.models import Lease, Supervisor
from consulops.notifiers.models import Notifier

pytestmark = pytest.mark.django_db


def supervisor(age: timedelta) -> None:
    now = timezone.now()
    Supervisor.objects.create(owner="a", host="h", pid=1, started_at=now, beat_at=now - age)


def numbers(client: Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples of /metrics by name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"consulops_{name}", frozenset(labels.items())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_no_login_and_nothing_but_reading(client: Client, path: str) -> None:
    assert client.get(path).status_code in (200, 503)
    assert client.head(path).status_code in (200, 503)
    assert client.post(path).status_code == 405
    assert "no-store" in client.get(path)["Cache-Control"]


def test_healthz_asks_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "ok"}


def test_ready(client: Client) -> None:
    supervisor(timedelta(seconds=1))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert set(answer.json().values()) == {"ok"}


@pytest.mark.parametrize("age", [None, timedelta(seconds=16)])
def test_not_ready_without_a_supervisor_that_lives(client: Client, age: timedelta | None) -> None:
    if age:
        supervisor(age)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == answer.json()["migrations"] == "ok"
    assert "none alive" in answer.json()["supervisor"]


def test_not_ready_with_migrations_to_apply(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_applied", False)
    monkeypatch.setattr(
        "django.db.migrations.executor.MigrationExecutor.migration_plan", lambda *_: [1, 2]
    )
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == "2 not applied; run manage.py migrate"


def test_not_ready_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr(readiness, "_migrations", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "connection refused"


def make_check(cluster: Cluster, name: str, status: Status) -> Check:
    now = timezone.now()
    return Check.objects.create(
        cluster=cluster,
        node="n",
        check_id=name,
        status=status,
        rank=LOOKS[status].rank,
        since=now,
        first_seen_at=now,
    )


def test_metrics_tell_what_is_there(client: Client) -> None:
    now = timezone.now()
    cluster = Cluster.objects.create(name="dc1", address="http://127.0.0.1:1")
    ClusterState.objects.update_or_create(
        cluster=cluster, defaults={"answered_at": now - timedelta(seconds=40), "error": "refused"}
    )
    bad = make_check(cluster, "bad", Status.CRITICAL)
    make_check(cluster, "good", Status.PASSING)
    Alert.objects.create(
        cluster=cluster, check_ref=bad, status="critical", rank=0, since=now, opened_at=now
    )
    notifier = Notifier.objects.create(name='a "b"', kind="webhook", error="no", error_at=now)
    for state, age in (("queued", 90), ("sent", 90), ("sent", 1)):
        Delivery.objects.create(
            notifier=notifier,
            notifier_name="a",
            reason="opened",
            lane="x",
            message={},
            state=state,
            created_at=now - timedelta(minutes=age),
            next_attempt_at=now,
        )
    Lease.objects.create(key="checks:1", expires_at=now + timedelta(seconds=9))
    Lease.objects.create(key="checks:2", expires_at=now - timedelta(seconds=9))
    supervisor(timedelta())

    found = numbers(client)
    assert found[key("checks", cluster="dc1", status="critical")] == 1
    assert found[key("checks", cluster="dc1", status="passing")] == 1
    assert found[key("alerts_open", cluster="dc1", status="critical", acknowledged="false")] == 1
    # Waiting ones of any age, finished ones of the last hour.
    assert found[key("deliveries", state="queued")] == 1
    assert found[key("deliveries", state="sent")] == 1
    failing = key("notifier_failing", notifier='a "b"', kind="webhook", permanent="false")
    assert found[failing] == 1
    assert 40 <= found[key("cluster_answer_age_seconds", cluster="dc1")] < 100
    assert found[key("cluster_failing", cluster="dc1")] == 1
    assert found[key("leases", state="held")] == found[key("leases", state="free")] == 1
    assert found[key("supervisors")] == 1


def test_metrics_stay_within_eight_queries(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        cluster = Cluster.objects.create(name=f"dc{number}", address="http://127.0.0.1:1")
        make_check(cluster, "one", Status.WARNING)
    with django_assert_max_num_queries(8):
        client.get("/metrics")

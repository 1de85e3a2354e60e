"""Deleting a cluster."""

from __future__ import annotations

import pytest
from django.test import Client

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Alert
from consulops.clusters.models import Cluster
from consulops.core.status import Status
from tests.clusters.things import make_check, make_cluster, make_transition


@pytest.fixture
def cluster(db: None) -> Cluster:
    return make_cluster("dc1")


def page(cluster: Cluster) -> str:
    return f"/clusters/{cluster.pk}/delete/"


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_open_it(
    request: pytest.FixtureRequest, who: str, status: int, cluster: Cluster
) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.get(page(cluster)).status_code == status
    if status != 200:
        assert client.post(page(cluster), {"name": "dc1"}).status_code == status
        assert Cluster.objects.exists()


def test_it_says_what_goes(as_admin: Client, cluster: Cluster) -> None:
    check = make_check(cluster, Status.CRITICAL)
    change = make_transition(check)
    Alert.objects.create(
        cluster=cluster,
        check_ref=check,
        status=check.status,
        rank=check.rank,
        since=check.since,
        opened_at=change.at,
    )
    shown = " ".join(as_admin.get(page(cluster)).content.decode().split())
    assert "1 check with 1 recorded change" in shown
    assert "1 alert with its history" in shown


@pytest.mark.parametrize("typed", ["", "DC1", "dc", "dc2"])
def test_without_its_name_it_stays(as_admin: Client, cluster: Cluster, typed: str) -> None:
    response = as_admin.post(page(cluster), {"name": typed})
    assert response.status_code == 200
    assert response.context["form"].errors["name"]
    assert Cluster.objects.exists()


def test_with_its_name_it_goes(as_admin: Client, cluster: Cluster) -> None:
    response = as_admin.post(page(cluster), {"name": "dc1"})
    assert response.headers["Location"] == "/clusters/"
    assert not Cluster.objects.exists()
    assert AuditEntry.objects.get(action="cluster.deleted").object_name == "dc1"


def test_twice(as_admin: Client, cluster: Cluster) -> None:
    as_admin.post(page(cluster), {"name": "dc1"})
    assert as_admin.post(page(cluster), {"name": "dc1"}).status_code == 404

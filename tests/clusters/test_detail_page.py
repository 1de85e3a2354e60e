"""The page of one cluster."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.clusters.models import Cluster
from consulops.clusters.views import FAILING_SHOWN
from consulops.core.status import Status
from tests.clusters.things import TOKEN, known, make_check, make_healthy, make_transition

BUDGET = 11


@pytest.fixture
def cluster(db: None) -> Cluster:
    return make_healthy(token=TOKEN, token_set_at=timezone.now())


def show(client: Client, cluster: Cluster) -> str:
    return client.get(f"/clusters/{cluster.pk}/").content.decode()


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(
    request: pytest.FixtureRequest, who: str, status: int, cluster: Cluster
) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.get(f"/clusters/{cluster.pk}/").status_code == status


def test_there_is_no_such_cluster(as_viewer: Client) -> None:
    assert as_viewer.get("/clusters/999/").status_code == 404


def test_facts(as_viewer: Client, cluster: Cluster) -> None:
    page = show(as_viewer, cluster)
    for text in [cluster.address, "1.8.7", "One more server may fail.", "10.0.0.3:8300", "dc1"]:
        assert text in page
    assert f"/checks/?cluster={cluster.name}" in page
    assert TOKEN not in page


def test_without_operator_read_it_says_so(as_viewer: Client, cluster: Cluster) -> None:
    known(cluster, failure_tolerance=None)
    page = show(as_viewer, cluster)
    assert "At best one more server may fail." in page
    assert "operator:read" in page


def test_failing_checks_worst_first_and_not_all(as_viewer: Client, cluster: Cluster) -> None:
    for number in range(FAILING_SHOWN):
        make_check(cluster, Status.WARNING, f"w{number}")
    make_check(cluster, Status.CRITICAL, "worst")
    make_check(cluster, check_id="fine")
    response = as_viewer.get(f"/clusters/{cluster.pk}/")
    shown = [check.check_id for check in response.context["failing"]]
    assert shown[0] == "worst"
    assert len(shown) == FAILING_SHOWN
    assert f"The worst {FAILING_SHOWN} of {FAILING_SHOWN + 1}." in response.content.decode()


def test_recent_changes_of_this_cluster_only(as_viewer: Client, cluster: Cluster) -> None:
    make_transition(make_check(cluster, Status.CRITICAL, name="<i>ours</i>"))
    make_transition(make_check(make_healthy("other"), Status.CRITICAL, name="theirs"))
    page = show(as_viewer, cluster)
    assert "&lt;i&gt;ours" in page
    assert "theirs" not in page


def test_an_error_stands_there_in_full(as_viewer: Client, cluster: Cluster) -> None:
    known(cluster, error="Nobody listens there.", error_at=timezone.now())
    assert "Nobody listens there." in show(as_viewer, cluster)


def test_only_an_admin_can_change_it(
    as_operator: Client, as_admin: Client, cluster: Cluster
) -> None:
    link = f"/clusters/{cluster.pk}/edit/"
    assert link not in show(as_operator, cluster)
    assert link in show(as_admin, cluster)


def test_queries(
    as_viewer: Client, cluster: Cluster, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(10):
        make_transition(make_check(cluster, Status.CRITICAL, f"c{number}"))
    with django_assert_max_num_queries(BUDGET):
        show(as_viewer, cluster)

"""Rows of clusters: worst first, and a warning when two seem to be one."""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.summary import Sizes, summarize, twins
from consulops.clusters.verdict import Counts
from tests.clusters.things import known, make_cluster, make_healthy


def clusters() -> list[Cluster]:
    return list(Cluster.objects.select_related("state"))


def make_twins() -> tuple[Cluster, Cluster]:
    first, second = make_healthy("first"), make_healthy("second")
    for one in (first, second):
        known(one, datacenter="dc1", leader="10.0.0.1:8300")
    return first, second


def test_worst_first_then_by_name(db: None) -> None:
    good, bad = make_healthy("good"), make_healthy("bad")
    make_cluster("also-waiting"), make_cluster("waiting")
    sizes = {
        good.pk: Sizes(Counts(total=1, passing=1)),
        bad.pk: Sizes(Counts(total=1, critical=1)),
    }
    rows = summarize(clusters(), sizes, timezone.now())
    assert [row.cluster.name for row in rows] == ["bad", "also-waiting", "waiting", "good"]


def test_the_same_consul_twice_is_noticed(db: None) -> None:
    first, second = make_twins()
    make_healthy("other")
    assert twins(clusters()) == {first.pk: ("second",), second.pk: ("first",)}


def test_a_cluster_that_is_switched_off_is_nobodys_twin(db: None) -> None:
    first, _ = make_twins()
    Cluster.objects.filter(pk=first.pk).update(enabled=False)
    assert twins(clusters()) == {}


def test_another_leader_or_other_peers_are_another_consul(db: None) -> None:
    first, second = make_twins()
    known(first, peers=["10.9.9.9:8300"])
    assert twins(clusters()) == {}
    ClusterState.objects.update(peers=["a"], leader=F("version"))
    known(second, leader="else")
    assert twins(clusters()) == {}


def test_clusters_of_which_nothing_is_known_are_no_twins(db: None) -> None:
    make_cluster("first"), make_cluster("second")
    assert twins(clusters()) == {}

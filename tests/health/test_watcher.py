"""The check watcher against a real Consul: nothing is missed, nothing is invented."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from consulops.accounts.audit import Actor
from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.services import save_cluster
from consulops.health import services, watcher
from consulops.health.models import Check, Node, Service, Transition
from consulops.health.observation import Observation
from consulops.health.picture import Picture
from consulops.lab.cluster import LocalCluster
from consulops.lab.registrations import ttl_check
from tests.looping import RunningLoop
from tests.waiting import WAIT_S, eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.consul]

_names = (f"watched-{number}" for number in count())


@pytest.fixture
def name() -> str:
    """A service of this test's own: its check has the same name."""
    return next(_names)


@pytest.fixture
def cluster(consul: LocalCluster) -> Cluster:
    return save_cluster(Actor.named("test"), "dc1", {"address": consul.address}).cluster


@pytest.fixture
def watched(cluster: Cluster) -> Iterator[RunningLoop]:
    with RunningLoop(f"checks:{cluster.pk}") as loop:
        eventually(lambda: ClusterState.objects.get(pk=cluster.pk).answered_at)
        yield loop


def register(consul: LocalCluster, name: str, status: str = "passing") -> None:
    consul.register_service(name, checks=[ttl_check(name, status=status)])


def status_of(name: str) -> str:
    return Check.objects.filter(check_id=name).values_list("status", flat=True).first() or ""


def history(name: str) -> list[tuple[str, str]]:
    rows = Transition.objects.filter(check_ref__check_id=name).order_by("pk")
    return list(rows.values_list("previous", "status"))


def test_each_change_of_a_check_is_seen(
    consul: LocalCluster, watched: RunningLoop, name: str
) -> None:
    register(consul, name)
    eventually(lambda: status_of(name) == "passing")
    for status in ("critical", "warning", "passing", "warning", "critical", "passing"):
        consul.set_check(name, status, f"now {status}")
        eventually(lambda status=status: status_of(name) == status)  # type: ignore[misc]
    assert [status for _, status in history(name)] == [
        "critical",
        "warning",
        "passing",
        "warning",
        "critical",
        "passing",
    ]
    check = Check.objects.get(check_id=name)
    assert (check.output, check.service, check.node) == (
        "now passing",
        name,
        consul.servers[0].name,
    )
    assert not Transition.objects.filter(check_ref__check_id=name, watched=False).exists()
    consul.deregister_service(name)
    eventually(lambda: status_of(name) == "gone")
    assert history(name)[-1] == ("passing", "gone")


def test_what_changed_while_nobody_watched_is_found_at_start(
    consul: LocalCluster, cluster: Cluster, name: str
) -> None:
    other = f"{name}-other"
    register(consul, name)
    register(consul, other, "critical")
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: status_of(name) == "passing" and status_of(other) == "critical")
    consul.set_check(name, "critical", "broke in the night")
    consul.deregister_service(other)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: status_of(name) == "critical" and status_of(other) == "gone")
    found = Transition.objects.filter(check_ref__check_id=name).latest("pk")
    assert (found.previous, found.status, found.watched) == ("passing", "critical", False)


def test_what_changes_again_while_it_waits_for_its_turn_is_written_in_order(
    consul: LocalCluster, watched: RunningLoop, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recovery is known when the first of many failures has just been written."""
    checks = consul.register_many(4, nodes=1, prefix=name)
    eventually(lambda: all(status_of(check) == "passing" for _, check in checks))
    known, begun = threading.Event(), threading.Event()
    learn, record = Picture.learn, services.record

    def learning(picture: Picture, seen: Sequence[Observation]) -> None:
        learn(picture, seen)
        if begun.is_set() and (checks[-1], "passing") in {(one.key, one.status) for one in seen}:
            known.set()

    def recording(*arguments: Any) -> list[Transition]:
        found = record(*arguments)
        if not begun.is_set():
            begun.set()
            consul.set_catalog_check(*checks[-1], "passing")
            assert known.wait(WAIT_S)
        return found

    monkeypatch.setattr(watcher, "PART", 1)
    monkeypatch.setattr(Picture, "learn", learning)
    monkeypatch.setattr(services, "record", recording)
    consul.set_catalog_checks(checks, "critical")
    eventually(lambda: all(history(check) for _, check in checks))
    both = [("passing", "critical"), ("critical", "passing")]
    eventually(lambda: history(checks[-1][1]) == both)


def test_a_check_that_comes_back_is_the_same_check(
    consul: LocalCluster, watched: RunningLoop, name: str
) -> None:
    register(consul, name)
    eventually(lambda: status_of(name) == "passing")
    before = Check.objects.get(check_id=name).pk
    consul.deregister_service(name)
    eventually(lambda: status_of(name) == "gone")
    register(consul, name, "critical")
    eventually(lambda: status_of(name) == "critical")
    assert Check.objects.get(check_id=name).pk == before


def test_nodes_and_services_without_checks_are_known(
    consul: LocalCluster, watched: RunningLoop, name: str
) -> None:
    consul.register_service(name, checks=[])
    eventually(lambda: Service.objects.filter(name=name).exists())
    eventually(lambda: Node.objects.filter(name=consul.servers[0].name).exists())
    assert not Check.objects.filter(service=name).exists()


def test_odd_names_are_watched_like_any_other(
    consul: LocalCluster, watched: RunningLoop, name: str
) -> None:
    odd = f'{name}/../"quotes" <script>größe'

    def put(status: str) -> None:
        # By the catalog, where names stand in the body: in a path they would end up elsewhere.
        check = {"Node": odd, "CheckID": odd, "Name": odd, "Status": status}
        body = {"Node": odd, "Address": "127.0.0.9", "Check": check}
        consul.call("PUT", "catalog/register", body)

    for status in ("critical", "passing", "warning"):
        put(status)
        eventually(lambda status=status: status_of(odd) == status)  # type: ignore[misc]
    assert Check.objects.get(check_id=odd).node == odd


def test_new_settings_of_the_cluster_take_effect_at_once(
    consul: LocalCluster, cluster: Cluster, name: str
) -> None:
    register(consul, name)
    nobody = save_cluster(Actor.named("test"), "dc1", {"address": "http://127.0.0.1:1"}).cluster
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{nobody.pk}"):
        eventually(lambda: state.exclude(error="").exists())
        assert not Check.objects.exists()
        save_cluster(Actor.named("test"), "dc1", {"address": consul.address})
        eventually(lambda: status_of(name) == "passing")
        eventually(lambda: state.filter(error="", answered_at__isnull=False).exists())


def test_maintenance_is_recognised(consul: LocalCluster, watched: RunningLoop, name: str) -> None:
    register(consul, name)
    consul.maintenance(True, name)
    eventually(lambda: status_of(f"_service_maintenance:{name}") == "maintenance")
    consul.maintenance(False, name)
    eventually(lambda: status_of(f"_service_maintenance:{name}") == "gone")

"""The meta of instances: what a listing changes, and the reader against a real Consul."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from consulops.accounts.audit import Actor
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.health import instances
from consulops.health.instances import Known, compare, wanted_by
from consulops.health.models import Instance
from consulops.lab.cluster import LocalCluster
from consulops.loops import registry
from tests.fake_consul import HANG, FakeConsul, listing
from tests.looping import RunningLoop
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

_names = (f"meta-{number}" for number in count())
PAY, SHOP = Known("web", {"team": "pay"}), Known("web", {"team": "shop"})


@pytest.fixture
def name() -> str:
    """A service of this test's own."""
    return next(_names)


def meta_of(service_id: str) -> dict[str, str] | None:
    found: Any = Instance.objects.filter(service_id=service_id).values_list("meta", flat=True)
    return next(iter(found), None)


@pytest.mark.parametrize(
    ("stored", "listing", "changed", "gone"),
    [
        ({}, {("n", "a"): PAY}, {("n", "a")}, set()),
        ({("n", "a"): PAY}, {("n", "a"): PAY}, set(), set()),
        ({("n", "a"): PAY}, {("n", "a"): SHOP}, {("n", "a")}, set()),
        ({("n", "a"): PAY}, {}, set(), {("n", "a")}),
        ({("n", "a"): Known("db", {})}, {}, set(), set()),
        ({("n", "a"): Known("db", {})}, {("n", "a"): PAY}, {("n", "a")}, set()),
    ],
)
def test_what_a_listing_changes(
    stored: dict[Any, Known], listing: dict[Any, Known], changed: set[Any], gone: set[Any]
) -> None:
    found = compare(stored, "web", listing)
    assert (set(found.changed), found.gone) == (changed, gone)


@pytest.fixture
def wanters(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], bool]]:
    """No app asks, but for those that the test adds."""
    asked: list[Callable[[], bool]] = []
    monkeypatch.setattr(instances, "_wanters", asked)
    return asked


def test_the_loop_is_there_only_while_somebody_asks(wanters: list[Callable[[], bool]]) -> None:
    pk = save_cluster(Actor.named("test"), "dc1", {"address": "http://127.0.0.1:1"}).cluster.pk
    answers = [False, True, False]
    wanted_by(lambda: False)
    wanted_by(lambda: answers.pop(0))
    found = [f"instances:{pk}" in registry.desired_keys() for _ in range(3)]
    assert found == [False, True, False]


@pytest.fixture
def read(consul: LocalCluster) -> Iterator[Cluster]:
    """A cluster whose instances are read."""
    cluster = save_cluster(Actor.named("test"), "dc1", {"address": consul.address}).cluster
    with RunningLoop(f"instances:{cluster.pk}"):
        eventually(Instance.objects.filter(service="consul").exists)
        yield cluster


@pytest.mark.consul
def test_meta_is_read_and_kept_true(consul: LocalCluster, read: Cluster, name: str) -> None:
    consul.register_service(name, f"{name}-1", meta={"team": "pay"})
    consul.register_service(name, f"{name}-2")
    eventually(lambda: meta_of(f"{name}-1") == {"team": "pay"})
    eventually(lambda: meta_of(f"{name}-2") == {})
    consul.register_service(name, f"{name}-1", meta={"team": "shop"})
    eventually(lambda: meta_of(f"{name}-1") == {"team": "shop"})
    consul.deregister_service(f"{name}-1")
    eventually(lambda: meta_of(f"{name}-1") is None)
    assert meta_of(f"{name}-2") == {}
    # The last one takes its service out of the catalog.
    consul.deregister_service(f"{name}-2")
    eventually(lambda: meta_of(f"{name}-2") is None)


@pytest.mark.consul
@pytest.mark.parametrize("odd", ["a/b é?x=1#f", "per%2Fcent", "a//b", "../up", "trailing/"])
def test_odd_names_harm_nobody(consul: LocalCluster, read: Cluster, name: str, odd: str) -> None:
    node = {"Node": f"node-of-{name}", "Address": "127.0.0.9"}
    for service, service_id in ((f"{odd}{name}", f"odd-{name}"), (f"zz{name}", f"plain-{name}")):
        service_facts = {"ID": service_id, "Service": service, "Meta": {"team": "pay"}}
        consul.call("PUT", "catalog/register", {**node, "Service": service_facts})
    eventually(lambda: meta_of(f"plain-{name}") == {"team": "pay"})
    if "//" not in odd and ".." not in odd:
        eventually(lambda: meta_of(f"odd-{name}") == {"team": "pay"})
    consul.deregister_catalog(f"node-of-{name}")
    eventually(lambda: meta_of(f"plain-{name}") is None)


def test_a_server_that_lags_takes_nothing_away() -> None:
    """What a stale listing lacks is gone only when the leader says so."""
    entry = {"Node": "n1", "ServiceID": "web-1", "ServiceMeta": {"team": "pay"}}
    with FakeConsul() as server:
        server.say(
            listing({"web": []}, 5),
            listing([], 7),
            listing([entry], 7),
            HANG,
        )
        cluster = save_cluster(Actor.named("test"), "dc1", {"address": server.address}).cluster
        for number in (1, 2):
            Instance.objects.create(
                cluster=cluster,
                node="n1",
                service_id=f"web-{number}",
                service="web",
                meta={"team": "pay"},
            )
        with RunningLoop(f"instances:{cluster.pk}"):
            eventually(lambda: meta_of("web-2") is None)
        assert meta_of("web-1") == {"team": "pay"}
        assert "consistent" in server.asked[2].query

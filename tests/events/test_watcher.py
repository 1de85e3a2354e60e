"""The watcher against a real Consul: each event is taken in once, across restarts of either."""

from __future__ import annotations

import pytest

from consulops.accounts.audit import Actor
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.events.models import Event, Feed, Run
from consulops.lab.cluster import LocalCluster
from tests.events.things import fire, make_handler
from tests.looping import RunningLoop
from tests.waiting import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.consul]


@pytest.fixture
def watched(fresh_consul: LocalCluster) -> Cluster:
    return save_cluster(Actor.named("test"), "dc1", {"address": fresh_consul.address}).cluster


def seen() -> list[tuple[str, bool]]:
    return list(Event.objects.order_by("pk").values_list("event_id", "fresh"))


def has_begun() -> bool:
    return Feed.objects.exclude(address="").exists()


def test_an_event_is_a_row_at_once(fresh_consul: LocalCluster, watched: Cluster) -> None:
    make_handler()
    with RunningLoop(f"events:{watched.pk}"):
        eventually(has_begun)
        fired = fire(fresh_consul, "deploy", b"\xffv2")
        event = eventually(lambda: Event.objects.first())
    assert event is not None
    assert (event.event_id, event.name, event.bytes) == (fired, "deploy", b"\xffv2")
    assert (event.fresh, event.cluster, event.ltime > 0) == (True, watched, True)
    assert Run.objects.get().event == event


def test_restarts_of_ours_neither_repeat_nor_lose(
    fresh_consul: LocalCluster, watched: Cluster
) -> None:
    past = fire(fresh_consul, "past")
    with RunningLoop(f"events:{watched.pk}"):
        eventually(lambda: len(seen()) == 1)
    meanwhile = fire(fresh_consul, "meanwhile")
    with RunningLoop(f"events:{watched.pk}"):
        eventually(lambda: len(seen()) == 2)
        last = fire(fresh_consul, "last")
        eventually(lambda: len(seen()) == 3)
    assert seen() == [(past, False), (meanwhile, True), (last, True)]


def test_restart_of_the_agent(fresh_consul: LocalCluster, watched: Cluster) -> None:
    with RunningLoop(f"events:{watched.pk}"):
        eventually(has_begun)
        first = fire(fresh_consul)
        eventually(lambda: len(seen()) == 1)
        fresh_consul.kill_server(0)
        eventually(lambda: Feed.objects.exclude(error="").exists())
        fresh_consul.start_server(0)
        fresh_consul.wait_ready()
        # Its list is empty again, and its clock may have gone back.
        second = fire(fresh_consul)
        eventually(lambda: len(seen()) == 2)
        eventually(lambda: Feed.objects.filter(error="").exists())
    assert seen() == [(first, True), (second, True)]
    assert Feed.objects.get().gap_at is None


def test_a_burst_is_taken_in_whole_and_in_order(
    fresh_consul: LocalCluster, watched: Cluster
) -> None:
    with RunningLoop(f"events:{watched.pk}"):
        eventually(has_begun)
        fired = [fire(fresh_consul, f"n{number}") for number in range(60)]
        eventually(lambda: len(seen()) == 60)
    assert seen() == [(one, True) for one in fired]


def test_an_agent_of_another_datacenter_lists_its_own_events(
    fresh_consul: LocalCluster,
) -> None:
    fire(fresh_consul)
    settings = {"address": fresh_consul.address, "datacenter": "dc9"}
    cluster = save_cluster(Actor.named("test"), "dc9", settings).cluster
    with RunningLoop(f"events:{cluster.pk}"):
        eventually(lambda: Feed.objects.filter(error__contains="belongs to dc1").exists())
    assert not Event.objects.exists()

"""The loop that probes: what it writes, when, and what it says of a Consul that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from consulops.accounts.audit import Actor
from consulops.clusters import loops, services
from consulops.clusters.loops import REWRITE, Memory, WatchServers, is_worth_writing
from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.probe import Probe
from consulops.core import postgres
from consulops.lab.cluster import LocalCluster
from consulops.loops.bells import Bells
from consulops.loops.context import Context, LeaseLost
from consulops.loops.database import DatabaseThread
from consulops.loops.models import Lease
from tests.clusters.things import TOKEN, make_cluster
from tests.fake_consul import FakeConsul, listing, web_page

PATIENCE_S = 20
PROBE = Probe(datetime(2026, 1, 1, tzinfo=UTC), "dc1", "1.8.7", "a:1", ("a:1",), 0)

Until = Callable[[Callable[[ClusterState], bool]], Awaitable[ClusterState]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "PACE_S", 0.02)
    monkeypatch.setattr(loops, "SLOW_S", 0.05)


@asynccontextmanager
async def probing(cluster: Cluster) -> AsyncIterator[tuple[Until, asyncio.Task[None]]]:
    """Runs the loop of this cluster under a lease; gives a way to wait for what it writes."""
    database, bells = DatabaseThread(), Bells(postgres.LOOPS)
    key = f"probe:{cluster.pk}"
    await database.run(
        Lease.objects.create,
        key=key,
        owner="me",
        epoch=1,
        expires_at=timezone.now() + timedelta(minutes=1),
    )
    context = Context(key, "me", 1, database, bells)
    news = postgres.listen(postgres.LIVE)
    await anext(news)

    async def until(condition: Callable[[ClusterState], bool]) -> ClusterState:
        async with asyncio.timeout(PATIENCE_S):
            while not condition(state := await database.run(ClusterState.objects.get)):
                await anext(news)
            return state

    listening = asyncio.create_task(bells.listen())
    running = asyncio.create_task(WatchServers().run(context))
    try:
        yield until, running
    finally:
        for task in (running, listening):
            task.cancel()
            with suppress(asyncio.CancelledError, LeaseLost):
                await task
        await database.run(Lease.objects.all().delete)
        await database.close()
        await news.aclose()  # type: ignore[attr-defined]  # an async generator behind the protocol


def test_one_key_for_each_enabled_cluster(db: None) -> None:
    on = make_cluster("on")
    make_cluster("off", enabled=False)
    assert WatchServers().keys() == [f"probe:{on.pk}"]


@pytest.mark.parametrize(
    ("probe", "written", "is_worth"),
    [
        (PROBE, None, True),
        (Probe(PROBE.at + timedelta(seconds=5), "dc1", "1.8.7", "a:1", ("a:1",), 0), PROBE, False),
        (Probe(PROBE.at + timedelta(seconds=5), "dc1", "1.8.7", "", ("a:1",), 0), PROBE, True),
        (Probe(PROBE.at + REWRITE, "dc1", "1.8.7", "a:1", ("a:1",), 0), PROBE, True),
    ],
)
def test_what_is_worth_writing(probe: Probe, written: Probe | None, is_worth: bool) -> None:
    assert is_worth_writing(probe, written) is is_worth


def test_a_cluster_that_does_not_answer_is_asked_less_often() -> None:
    assert Memory(failures=2).pause_s > Memory(failures=1).pause_s


@pytest.mark.consul
def test_it_writes_what_consul_says(transactional_db: None, consul: LocalCluster) -> None:
    async def run(cluster: Cluster) -> ClusterState:
        async with probing(cluster) as (until, _):
            return await until(lambda state: state.leader != "")

    state = asyncio.run(run(make_cluster(address=consul.address)))
    assert state.probed_at is not None
    assert (state.datacenter, state.peers) == ("dc1", [state.leader])
    assert (state.error, state.answered_at) == ("", None)


def test_a_lost_leader_shows_at_once(transactional_db: None) -> None:
    async def run(cluster: Cluster, fake: FakeConsul) -> None:
        async with probing(cluster) as (until, _):
            await until(lambda state: state.leader == "a:1")
            fake.at("/v1/status/leader", listing(""))
            await until(lambda state: state.leader == "" and state.probed_at is not None)

    with FakeConsul() as fake:
        fake.at("/v1/status/leader", listing("a:1"))
        asyncio.run(run(make_cluster(address=fake.address), fake))


def test_a_web_page_in_consuls_place_is_told(transactional_db: None) -> None:
    async def run(cluster: Cluster) -> ClusterState:
        async with probing(cluster) as (until, _):
            return await until(lambda state: state.error != "")

    with FakeConsul() as fake:
        fake.say(web_page())
        state = asyncio.run(run(make_cluster(address=fake.address, token=TOKEN)))
    assert "web page" in state.error
    assert "alert(1)" not in state.error
    assert TOKEN not in state.error
    assert state.probed_at is None


@pytest.mark.consul
def test_a_wrong_datacenter_is_told(transactional_db: None, consul: LocalCluster) -> None:
    async def run(cluster: Cluster) -> ClusterState:
        async with probing(cluster) as (until, _):
            return await until(lambda state: state.error != "")

    state = asyncio.run(run(make_cluster(address=consul.address, datacenter="nowhere")))
    assert "datacenter" in state.error


def test_new_settings_are_used_at_once(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "PACE_S", 60.0)

    async def run(cluster: Cluster, address: str) -> None:
        async with probing(cluster) as (until, _):
            await until(lambda state: state.leader == "old:1")
            values: dict[str, object] = {"address": address}
            await asyncio.to_thread(_update, cluster.pk, values)
            await until(lambda state: state.leader == "new:1")

    with FakeConsul() as old, FakeConsul() as new:
        old.at("/v1/status/leader", listing("old:1"))
        new.at("/v1/status/leader", listing("new:1"))
        asyncio.run(run(make_cluster(address=old.address), new.address))


def test_a_token_that_no_key_opens_is_told(transactional_db: None, settings: Settings) -> None:
    async def run(cluster: Cluster) -> ClusterState:
        async with probing(cluster) as (until, _):
            return await until(lambda state: state.error != "")

    cluster = make_cluster(token=TOKEN)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert "CONSULOPS_ENCRYPTION_KEYS" in asyncio.run(run(cluster)).error


def test_without_its_lease_it_writes_nothing(transactional_db: None) -> None:
    async def run(cluster: Cluster, fake: FakeConsul) -> None:
        async with probing(cluster) as (until, running):
            await until(lambda state: state.leader == "a:1")
            await asyncio.to_thread(_lose)
            fake.at("/v1/status/leader", listing("b:1"))
            with pytest.raises(LeaseLost):
                await asyncio.wait_for(asyncio.shield(running), PATIENCE_S)

    with FakeConsul() as fake:
        fake.at("/v1/status/leader", listing("a:1"))
        asyncio.run(run(make_cluster(address=fake.address), fake))
    assert ClusterState.objects.get().leader == "a:1"


def _update(pk: int, values: dict[str, object]) -> None:
    services.update_cluster(Actor.named("test"), pk, values)
    connection.close()


def _lose() -> None:
    Lease.objects.update(epoch=2, owner="other")
    connection.close()

"""The questions about a cluster's servers, put to real Consul, and to one that misbehaves."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone

from consulops.clusters.probe import Probe, ask
from consulops.consulapi import AsyncClient, Connection, ConsulError
from consulops.lab.cluster import LocalCluster
from tests.fake_consul import FakeConsul, failure, listing, web_page


def probe(address: str, datacenter: str = "", token: str = "") -> Probe:
    """One round, as the loop does it."""

    async def once() -> Probe:
        connection = Connection("dc1", address, datacenter, token)
        async with AsyncClient(connection) as client:
            return await ask(client, timezone.now())

    return asyncio.run(once())


@pytest.mark.consul
def test_one_server(consul: LocalCluster) -> None:
    found = probe(consul.address)
    assert found.datacenter == "dc1"
    assert found.version[:1].isdigit()
    assert found.peers == (found.leader,)
    assert found.failure_tolerance == 0


@pytest.mark.consul
def test_a_wrong_datacenter_is_an_error(consul: LocalCluster) -> None:
    with pytest.raises(ConsulError, match="datacenter"):
        probe(consul.address, datacenter="nowhere")


@pytest.mark.consul
def test_three_servers_then_two(consul_binary: Path) -> None:
    with LocalCluster(consul_binary, servers=3) as cluster:
        leader = cluster.leader()
        assert leader is not None
        alive = cluster.addresses[leader]
        assert settled(alive, 1).peers[0] != settled(alive, 1).peers[1]
        cluster.kill_server((leader + 1) % 3)
        assert settled(alive, 0).leader


def settled(address: str, tolerance: int) -> Probe:
    """Asks until autopilot, which looks every few seconds, has noticed."""
    give_up = time.monotonic() + 30
    while (found := probe(address)).failure_tolerance != tolerance:
        assert time.monotonic() < give_up, found
        time.sleep(0.1)
    return found


@pytest.mark.consul
def test_a_token_that_may_do_nothing_still_learns_who_leads(consul_binary: Path) -> None:
    with LocalCluster(consul_binary, acl=True) as cluster:
        assert probe(cluster.address, token=cluster.token).failure_tolerance == 0
        powerless = cluster.call("PUT", "acl/token", {})["SecretID"]
        found = probe(cluster.address, token=powerless)
    assert found.leader
    assert len(found.peers) == 1
    assert (found.failure_tolerance, found.version) == (None, "")


def test_no_leader_is_no_error() -> None:
    with FakeConsul() as fake:
        fake.say(failure("No cluster leader"))
        fake.at("/v1/status/leader", listing(""))
        found = probe(fake.address)
    assert (found.leader, found.peers, found.failure_tolerance) == ("", (), None)


def test_bad_health_comes_with_another_status() -> None:
    with FakeConsul() as fake:
        fake.at("/v1/status/leader", listing("10.0.0.1:8300"))
        sick = listing({"Healthy": False, "FailureTolerance": 0})
        fake.at("/v1/operator/autopilot/health", replace(sick, status=429))
        assert probe(fake.address).failure_tolerance == 0


def test_answers_of_another_kind_are_not_believed() -> None:
    with FakeConsul() as fake:
        fake.say(listing({"a": 1}))
        fake.at("/v1/status/peers", listing([1, "b:1", "a:1"]))
        found = probe(fake.address)
    assert (found.leader, found.version, found.failure_tolerance) == ("", "", None)
    assert found.peers == ("", "a:1", "b:1")


def test_a_web_page_is_an_error() -> None:
    with FakeConsul() as fake:
        fake.say(web_page())
        with pytest.raises(ConsulError, match="web page"):
            probe(fake.address)

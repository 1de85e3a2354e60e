"""The connection test against real and fake Consuls: what works, what the token lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consulops.consulapi import Client, Connection, errors
from consulops.consulapi.rights import RIGHTS, Finding, probe
from consulops.lab.cluster import LocalCluster
from tests import fake_consul
from tests.fake_consul import FakeConsul, listing

ALL = {right.name for right in RIGHTS}


@pytest.fixture(scope="module")
def guarded(consul_binary: Path) -> Iterator[LocalCluster]:
    """A Consul with ACLs."""
    with LocalCluster(consul_binary, acl=True) as cluster:
        yield cluster


def token(cluster: LocalCluster, name: str, rules: str) -> str:
    cluster.call("PUT", "acl/policy", {"Name": name, "Rules": rules})
    made = cluster.call("PUT", "acl/token", {"Policies": [{"Name": name}]})
    return str(made["SecretID"])


def findings(connection: Connection) -> dict[str, Finding]:
    return {finding.name: finding for finding in probe(connection)}


@pytest.mark.consul
def test_a_management_token_may_do_everything(guarded: LocalCluster) -> None:
    found = findings(Connection("c", guarded.address, "dc1", guarded.token))
    assert {name for name, one in found.items() if one.ok is not True} == {"TLS"}
    assert "1." in found["Consul"].text


@pytest.mark.consul
def test_what_a_token_lacks_is_named(guarded: LocalCluster) -> None:
    secret = token(
        guarded,
        "some",
        'node_prefix "" { policy = "read" } key_prefix "" { policy = "read" } '
        'service "web" { policy = "read" }',
    )
    found = findings(Connection("c", guarded.address, "dc1", secret))
    assert {name for name in ALL if found[name].ok} == {"node:read", "key:read"}
    assert "services and their checks" in found["service:read"].text
    assert found["Token"].ok
    assert found["Consul"].ok, "its version is hidden, but it is Consul"
    assert secret not in str(found)


@pytest.mark.consul
def test_a_token_that_the_cluster_does_not_know(guarded: LocalCluster) -> None:
    connection = Connection("c", guarded.address, "dc1", "5ec2e700-0000-4000-8000-000000000000")
    found = findings(connection)
    assert found["Token"].ok is False
    assert {found[name].ok for name in ALL} == {None}
    with Client(connection) as consul, pytest.raises(errors.AclNotFound):
        consul.kv.get("x")


@pytest.mark.consul
def test_inherited_calls_raise_our_errors(guarded: LocalCluster) -> None:
    secret = token(guarded, "nothing", 'node "x" { policy = "read" }')
    with Client(Connection("c", guarded.address, token=secret)) as consul:
        with pytest.raises(errors.PermissionDenied, match="key:read"):
            consul.kv.put("x", "1")
        assert consul.catalog.nodes()[1] == [], "filtered, not refused"


@pytest.mark.consul
def test_inherited_calls_work(consul: LocalCluster) -> None:
    with Client(Connection("c", consul.address, "dc1")) as client:
        assert client.kv.put("capi/ü b?", b"\x00\xff")
        index, pair = client.kv.get("capi/ü b?")
        assert pair["Value"] == b"\x00\xff"
        assert client.kv.get("capi/none")[1] is None
        assert client.kv.get("capi/ü b?", index=index, wait="50ms")[1] == pair
        assert client.write("PUT", "/v1/kv/capi/2", b"x").value is True
        done = client.write("PUT", "/v1/txn", [{"KV": {"Verb": "get", "Key": "capi/2"}}])
        assert done.value["Results"][0]["KV"]["Value"] == "eA=="
        assert client.status.leader()


@pytest.mark.consul
def test_without_acls_everybody_may_do_everything(consul: LocalCluster) -> None:
    found = findings(Connection("c", consul.address))
    assert found["Token"].ok
    assert "no ACLs" in found["Token"].text
    assert found["Datacenter"].text == "None entered; the agent's is dc1."


@pytest.mark.consul
def test_a_datacenter_that_is_not_there(consul: LocalCluster) -> None:
    connection = Connection("c", consul.address, "dc7")
    found = findings(connection)
    assert found["Datacenter"].ok is False
    assert "dc1" in found["Datacenter"].text
    with Client(connection) as client, pytest.raises(errors.WrongDatacenter):
        client.read("/v1/catalog/nodes")


def test_nobody_there() -> None:
    found = findings(Connection("c", "http://127.0.0.1:1"))
    assert found["Reachable"].ok is False
    assert not [one for one in found.values() if one.ok]


@pytest.mark.parametrize(
    "told", [fake_consul.web_page(), fake_consul.redirect("/ui/"), listing({"hello": 1})]
)
def test_something_that_is_not_consul(fake: FakeConsul, told: fake_consul.Told) -> None:
    fake.say(told)
    found = findings(Connection("c", fake.address, "dc1"))
    assert found["Reachable"].ok
    assert found["Consul"].ok is False
    assert found["Token"].ok is None


def test_a_consul_without_a_leader(fake: FakeConsul) -> None:
    fake.at("/v1/agent/self", listing({"Config": {"Version": "1.8.7", "Datacenter": "dc1"}}))
    fake.at("/v1/status/leader", listing(""))
    fake.say(fake_consul.failure("No cluster leader"))
    found = findings(Connection("c", fake.address, "dc1"))
    assert (found["Consul"].ok, found["Datacenter"].ok, found["Leader"].ok) == (True, True, False)
    assert found["Token"].ok is None


def test_verdicts_that_make_no_sense_are_unknown(fake: FakeConsul) -> None:
    fake.at("/v1/agent/self", listing({"Config": {"Version": "2", "Datacenter": "dc1"}}))
    fake.at("/v1/status/leader", listing("10.0.0.1:8300"))
    fake.at("/v1/internal/acl/authorize", listing([{"Resource": "node", "Allow": True}]))
    found = findings(Connection("c", fake.address, "dc1"))
    assert {found[name].ok for name in ALL} == {None}

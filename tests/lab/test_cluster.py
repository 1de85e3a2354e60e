"""Local clusters start, answer, take faults, and keep their data."""

from __future__ import annotations

import base64
import json
import socket
import tempfile
from pathlib import Path

import pytest

from consulops.lab import ports
from consulops.lab.cluster import LocalCluster
from consulops.lab.registrations import ttl_check
from consulops.lab.server import LabError

pytestmark = pytest.mark.consul


def value(cluster: LocalCluster, key: str) -> object:
    return json.loads(base64.b64decode(cluster.call("GET", f"kv/{key}?consistent")[0]["Value"]))


def statuses(cluster: LocalCluster, path: str) -> dict[str, str]:
    checks = cluster.call("GET", f"health/{path}")
    return {check["CheckID"]: check["Status"] for check in checks}


def test_a_check_takes_the_status_and_output_that_are_set(consul: LocalCluster) -> None:
    consul.register_service("lab-web")
    consul.set_check("lab-web", "critical", "connection refused")
    check = consul.call("GET", "agent/checks")["lab-web"]
    assert (check["Status"], check["Output"]) == ("critical", "connection refused")


def test_names_with_slashes_and_blanks_are_reached(consul: LocalCluster) -> None:
    consul.register_service("lab/odd", "lab/odd id", [ttl_check("lab/odd check?")])
    consul.set_check("lab/odd check?", "warning")
    assert consul.call("GET", "agent/checks")["lab/odd check?"]["Status"] == "warning"
    consul.deregister_service("lab/odd id")
    assert "lab/odd check?" not in consul.call("GET", "agent/checks")


def test_a_node_check_is_registered_and_removed(consul: LocalCluster) -> None:
    consul.register_check("lab-disk", "Disk", "warning")
    assert consul.call("GET", "agent/checks")["lab-disk"]["Status"] == "warning"
    consul.deregister_check("lab-disk")
    assert "lab-disk" not in consul.call("GET", "agent/checks")


def test_maintenance_of_a_service_and_of_the_node(fresh_consul: LocalCluster) -> None:
    fresh_consul.register_service("web")
    fresh_consul.maintenance(True, "web", "deploy")
    fresh_consul.maintenance(True, reason="new kernel")
    checks = fresh_consul.call("GET", "agent/checks")
    assert checks["_service_maintenance:web"]["Notes"] == "deploy"
    assert checks["_node_maintenance"]["Notes"] == "new kernel"
    fresh_consul.maintenance(False, "web")
    fresh_consul.maintenance(False)
    assert set(fresh_consul.call("GET", "agent/checks")) == {"web"}


def test_many_checks_are_registered_failed_and_removed(fresh_consul: LocalCluster) -> None:
    made = fresh_consul.register_many(200, nodes=3)
    assert len(set(made)) == 200
    fresh_consul.set_catalog_checks(made[:100], "critical", "all down")
    fresh_consul.set_catalog_check(*made[100], "warning")
    failing = statuses(fresh_consul, "state/critical")
    assert set(failing) == {check_id for _, check_id in made[:100]}
    assert set(statuses(fresh_consul, "state/warning")) == {made[100][1]}
    fresh_consul.deregister_catalog(*made[0])
    assert made[0][1] not in statuses(fresh_consul, "state/any")
    fresh_consul.deregister_catalog(made[1][0])
    assert {check["Node"] for check in fresh_consul.call("GET", "health/state/critical")} == {
        "bulk-node-0",
        "bulk-node-2",
    }


def test_a_catalog_check_of_another_maker_keeps_its_definition(consul: LocalCluster) -> None:
    check = {"Node": "lab-other", "CheckID": "c", "Name": "Other", "Status": "passing"}
    consul.call("PUT", "catalog/register", {"Node": "lab-other", "Address": "::1", "Check": check})
    consul.set_catalog_check("lab-other", "c", "critical", "gone")
    found = consul.call("GET", "health/node/lab-other")
    assert [(one["Name"], one["Status"], one["Output"]) for one in found] == [
        ("Other", "critical", "gone")
    ]


def test_an_unknown_catalog_check_is_an_error(consul: LocalCluster) -> None:
    with pytest.raises(LabError, match="no check c"):
        consul.set_catalog_check("lab-nobody", "c", "critical")


def test_an_error_of_consul_says_the_call_and_the_answer(consul: LocalCluster) -> None:
    with pytest.raises(LabError, match=r"PUT agent/check/update/lab-none: 500 .*lab-none"):
        consul.set_check("lab-none", "critical")


def test_three_servers_survive_the_loss_of_their_leader(consul_binary: Path) -> None:
    with LocalCluster(consul_binary, servers=3, datacenter="dc3") as cluster:
        assert len(set(cluster.addresses)) == len(cluster.pids) == 3
        first = cluster.leader()
        assert first is not None
        cluster.kill_server(first)
        cluster.wait_ready()
        assert cluster.leader() not in (None, first)
        assert len(cluster.pids) == 2
        cluster.start_server(first)
        assert [cluster.call("GET", "status/leader", server=i) for i in range(3)] != [""] * 3
        assert len(cluster.call("GET", "operator/raft/configuration")["Servers"]) == 3


def test_a_frozen_leader_is_replaced_and_comes_back(consul_binary: Path) -> None:
    with LocalCluster(consul_binary, servers=3) as cluster:
        first = cluster.leader()
        assert first is not None
        pid = cluster.servers[first].pid
        cluster.freeze_server(first)
        cluster.wait_ready()
        assert cluster.leader() not in (None, first)
        cluster.thaw_server(first)
        cluster.wait_ready()
        assert cluster.servers[first].pid == pid


def test_a_stopped_server_keeps_its_data(fresh_consul: LocalCluster) -> None:
    fresh_consul.call("PUT", "kv/lab", "kept")
    address = fresh_consul.address
    fresh_consul.stop_server(0)
    assert fresh_consul.leader() is None
    with pytest.raises(LabError, match="does not run"):
        _ = fresh_consul.servers[0].pid
    fresh_consul.start_server(0)
    fresh_consul.restart()
    assert fresh_consul.address == address
    assert value(fresh_consul, "lab") == "kept"


def test_two_datacenters_answer_for_each_other(
    fresh_consul: LocalCluster, consul_binary: Path
) -> None:
    with LocalCluster(consul_binary, datacenter="dc2") as other:
        fresh_consul.join_wan(other)
        assert sorted(fresh_consul.call("GET", "catalog/datacenters")) == ["dc1", "dc2"]
        assert other.call("GET", "catalog/nodes?dc=dc1")[0]["Node"] == "dc1-server-1"


def test_a_folder_keeps_data_and_ports_but_not_a_port_that_is_taken(
    consul_binary: Path, tmp_path: Path
) -> None:
    wished = ports.pick(set())
    folder = tmp_path / "kept"
    with LocalCluster(consul_binary, folder=folder, ports=[wished]) as cluster:
        assert cluster.address == f"http://127.0.0.1:{wished}"
        cluster.call("PUT", "kv/lab", "kept")
        before = cluster.servers[0].ports
    cluster = LocalCluster(consul_binary, folder=folder)
    with cluster:
        assert cluster.servers[0].ports == before
    with socket.create_server(("127.0.0.1", before.server)), cluster:
        assert cluster.address == f"http://127.0.0.1:{wished}"
        assert cluster.servers[0].ports.server != before.server
        assert value(cluster, "lab") == "kept"


def test_a_port_that_is_taken_at_the_last_moment_is_replaced(
    consul_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def free(port: int) -> bool:
        looks.append(port)
        return len(looks) == 1 or really_free(port)

    really_free = ports.free
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "free", free)
        with LocalCluster(consul_binary, ports=[port]) as cluster:
            assert looks[0] == port
            assert cluster.servers[0].ports.api != port


def test_a_binary_that_ends_at_once_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    binary = tmp_path / "consul"
    binary.write_text("#!/bin/sh\necho no such flag\nexit 1\n")
    binary.chmod(0o755)
    with pytest.raises(LabError, match="dc1-server-1 ended:\nno such flag"):
        LocalCluster(binary).start()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_only_one_three_or_five_servers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1, 3 or 5"):
        LocalCluster(tmp_path / "consul", servers=2)

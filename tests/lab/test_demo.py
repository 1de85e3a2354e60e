"""The demo of a first start: real, breakable, and the same after a restart."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from consulops.lab.demo import ADDRESSES, Demo

pytestmark = pytest.mark.consul
ROOT = Path(__file__).resolve().parents[2]


def failing(address: str) -> list[str]:
    # The agent's own view: the catalog follows it a moment later.
    found = requests.get(f"{address}/v1/agent/checks", timeout=5).json()
    return [check_id for check_id, check in found.items() if check["Status"] == "critical"]


def test_a_restart_keeps_ports_and_what_was_broken(consul_binary: Path, tmp_path: Path) -> None:
    with Demo(consul_binary, tmp_path) as demo:
        before = demo.addresses()
        assert json.loads((tmp_path / "demo" / ADDRESSES).read_text()) == before
        assert set(before) == {"dc1", "dc2"}
        assert failing(before["dc1"]) == []
        demo.break_check("dc1", "api-1", "500")
        demo.break_check("dc2", "web-1")
        demo.mend_check("dc2", "web-1")
    with Demo(consul_binary, tmp_path) as demo:
        assert demo.addresses() == before
        assert failing(before["dc1"]) == ["api-1"]
        assert failing(before["dc2"]) == []
        services = requests.get(f"{before['dc1']}/v1/agent/services", timeout=5).json()
        assert {one["Service"] for one in services.values()} == {
            *("web", "api", "payments", "redis", "postgres")
        }
        joined = requests.get(f"{before['dc2']}/v1/catalog/datacenters", timeout=5).json()
        assert sorted(joined) == ["dc1", "dc2"]


def test_ports_in_use_are_left_alone(
    consul_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setitem(sys.modules["consulops.lab.demo"].PORTS, "dc1", port)
        with Demo(consul_binary, tmp_path) as demo:
            assert demo.addresses()["dc1"] != f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_break_a_check_and_ends_on_a_signal(
    number: signal.Signals, consul_binary: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "consulops.lab", "demo", "--data", str(tmp_path)]
    environ = {"CONSUL_BIN": str(consul_binary)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ
    ) as running:
        assert running.stdout is not None
        hint = running.stdout.readline()
        family = psutil.Process(running.pid).children()
        assert sum(process.name() == "consul" for process in family) == 2
        requests.put(hint.split("'")[1], timeout=5).raise_for_status()
        address = json.loads((tmp_path / "demo" / ADDRESSES).read_text())["dc1"]
        assert failing(address) == ["web-1"]
        running.send_signal(number)
        assert running.wait() == 0
        assert not any(process.is_running() for process in family)

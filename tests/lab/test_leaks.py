"""No server outlives the process that started it, whatever ends that process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.consul
ROOT = Path(__file__).resolve().parents[2]

# A thread starts the cluster and ends, which must not end the servers; a forked child holds copies
# of all files, which must not keep them alive.
SCRIPT = """
import os, signal, sys, threading
from pathlib import Path
from consulops.lab.cluster import LocalCluster

cluster = LocalCluster(Path(sys.argv[1]), servers=3, folder=Path(sys.argv[2]))
starter = threading.Thread(target=cluster.start)
starter.start()
starter.join()
cluster.call("GET", "status/leader")
child = os.fork()
if not child:
    signal.pause()
print(child, *cluster.pids, flush=True)
signal.pause()
"""


def _over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _all_over(processes: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + 10
    while not all(map(_over, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def _owner(binary: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    command = [sys.executable, "-c", SCRIPT, str(binary), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        forked, *servers = map(int, owner.stdout.readline().split())
        try:
            yield owner, servers
        finally:
            owner.kill()
            psutil.Process(forked).kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_servers_die_with_their_owner(
    number: signal.Signals, consul_binary: Path, tmp_path: Path
) -> None:
    with _owner(consul_binary, tmp_path / "folder") as (owner, pids):
        family = psutil.Process(owner.pid).children()
        servers = [process for process in family if process.pid in pids]
        assert len(servers) == 3
        guardian = [process for process in family if "guardian.py" in " ".join(process.cmdline())]
        owner.send_signal(number)
        owner.wait()
        assert _all_over(servers + guardian)


def test_frozen_servers_die_too(consul_binary: Path, tmp_path: Path) -> None:
    with _owner(consul_binary, tmp_path / "folder") as (owner, pids):
        servers = [psutil.Process(pid) for pid in pids]
        servers[0].suspend()
        owner.kill()
        assert _all_over(servers)

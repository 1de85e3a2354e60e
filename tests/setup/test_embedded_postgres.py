"""The embedded PostgreSQL lives as long as somebody uses it, however they end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from consulops.core.embedded_postgres import CannotStart, Server, running
from consulops.core.postgres_keeper import YOUNG_S
from tests.product import ROOT
from tests.waiting import eventually

USE_IT = """
import sys
from pathlib import Path
from consulops.core.embedded_postgres import running
with running(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="consulops pg ") as folder:
        yield Path(folder) / "data"


def server_of(data: Path) -> list[psutil.Process]:
    """The server's main process and its keeper."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if str(data / "postgres") in words:
            found.append(process)
    return found


def used_elsewhere(data: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its input ends or it is killed."""
    user = subprocess.Popen(
        [sys.executable, "-c", USE_IT, str(data)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout
    assert user.stdout.readline().startswith("postgresql://")
    return user


def end(user: subprocess.Popen[str]) -> None:
    user.communicate(timeout=30)


def test_it_keeps_data_and_stops_with_its_last_user(data: Path) -> None:
    with running(data) as url:
        with psycopg.connect(url) as link:
            link.execute("CREATE TABLE kept (word text)")
        with running(data) as second:
            assert second == url
        psycopg.connect(url).close()
    assert server_of(data) == []
    with running(data) as url, psycopg.connect(url) as link:
        link.execute("DROP TABLE kept")


def test_it_outlives_the_one_who_started_it(data: Path) -> None:
    starter = used_elsewhere(data)
    with running(data) as url:
        end(starter)
        psycopg.connect(url).close()
    assert eventually(lambda: not server_of(data))


def test_a_user_killed_with_9_leaves_no_server(data: Path) -> None:
    user = used_elsewhere(data)
    assert server_of(data)
    user.kill()
    end(user)
    assert eventually(lambda: not server_of(data))


def test_it_recovers_when_all_was_killed_with_9(data: Path) -> None:
    user = used_elsewhere(data)
    for process in [*server_of(data), psutil.Process(user.pid)]:
        process.kill()
    end(user)
    eventually(lambda: not server_of(data))
    assert (data / "postgres" / "postmaster.pid").exists()
    with running(data) as url:
        psycopg.connect(url).close()


def test_a_server_that_dies_is_started_again(data: Path) -> None:
    with running(data) as url:
        with psycopg.connect(url) as link:
            link.execute("CREATE TABLE kept (word text)")
        (server,) = [one for one in server_of(data) if "postgres_keeper" not in str(one.cmdline())]
        # One that dies young could not start, and is left to a person.
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > YOUNG_S)
        server.kill()
        assert eventually(lambda: answers(url))
        with psycopg.connect(url) as link:
            link.execute("DROP TABLE kept")
    assert server_of(data) == []


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_pid_that_is_another_process_by_now_does_not_hold_it_up(data: Path) -> None:
    with running(data):
        text = (data / "postgres" / "postmaster.pid").read_text()
    lines = text.splitlines()
    lines[0] = str(os.getpid())
    (data / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with running(data) as url:
        psycopg.connect(url).close()


def test_a_path_too_long_for_a_socket_and_with_a_comma() -> None:
    folder = Path(tempfile.mkdtemp(prefix="consulops-pg-"))
    data = folder / ("x" * 100) / "a,b"
    try:
        with running(data) as url:
            psycopg.connect(url).close()
    finally:
        shutil.rmtree(folder)


def test_a_socket_folder_that_others_may_enter_is_refused(data: Path) -> None:
    sockets = data / "run" / "sql"
    sockets.mkdir(parents=True, exist_ok=True)
    sockets.chmod(0o755)
    try:
        with pytest.raises(CannotStart, match="nobody else may enter"):
            Server(data)
    finally:
        sockets.chmod(0o700)

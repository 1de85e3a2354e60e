"""`manage.py up` as a person meets it: started, killed, stopped, started again."""

from __future__ import annotations

import re
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.product import READY, Product, all_gone, free_port, manage
from tests.waiting import eventually

pytestmark = [pytest.mark.product, pytest.mark.consul]

PASSWORD = r"^Sign in as admin with the password (\S+)"
# What the set-up promises.
STOP_S = 10


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder whose name must be quoted everywhere.

    Not below tmp_path: pytest closes that to others, and PostgreSQL never runs as root.
    """
    with tempfile.TemporaryDirectory(prefix="consulops-up-") as folder:
        yield Path(folder) / "data of ours 100%"


def clusters(product: Product) -> set[str]:
    _, text = product.get("/metrics")
    return set(re.findall(r'consulops_cluster_answer_age_seconds\{cluster="([^"]+)"\}', text))


def test_the_story_of_a_data_folder(data: Path, consul_binary: Path) -> None:
    """One test, because each chapter needs the state that the one before it left."""
    with Product(data, CONSUL_BIN=str(consul_binary)) as product:
        assert product.wait_for(READY)[1] == f"http://127.0.0.1:{product.port}"
        assert product.get("/healthz") == (200, '{"status": "ok"}')
        assert set((product.ready() or {}).values()) == {"ok"}
        eventually(lambda: clusters(product) == {"dc1", "dc2"})
        password = product.wait_for(PASSWORD)[1]
        assert sum(password in line for line in product.lines) == 1

        # The demo's own failing check is told by the route "everything".
        log = data / "notifications" / "alerts.log"
        eventually(log.exists)

        restarts_what_dies(product)

        running = [product.process, *product.descendants()]
        assert any(process.name() == "postgres" for process in running)
        assert any(process.name() == "consul" for process in running)
        product.process.terminate()
        asked = time.monotonic()
        assert all_gone(running, STOP_S + 5) == []
        assert time.monotonic() - asked < STOP_S
        assert product.process.wait() == 0

    with Product(data, CONSUL_BIN=str(consul_binary)) as product:
        product.wait_for(READY)
        eventually(lambda: clusters(product) == {"dc1", "dc2"})
        assert not product.said(PASSWORD)

        runs_once(data)
        # A command that ends does not take the database away from others.
        assert manage(data, "export").returncode == 0
        assert product.ready()

        running = [product.process, *product.descendants()]
        product.process.kill()
        assert all_gone(running, STOP_S + 10) == []

    with Product(data, CONSUL_BIN=str(consul_binary)) as product:
        product.wait_for(READY)
        eventually(lambda: clusters(product) == {"dc1", "dc2"})
        # As Ctrl-C in a terminal.
        product.process.send_signal(signal.SIGINT)
        assert product.process.wait(STOP_S) == 0


def runs_once(data: Path) -> None:
    done = manage(data, "up", "--bind", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert f"already runs with the data folder {data}" in done.stderr


def restarts_what_dies(product: Product) -> None:
    for name in ("web", "watch"):
        victim = product.main_process(name)
        family = [victim, *victim.children(recursive=True)]
        victim.kill()
        assert all_gone(family, 10) == []
        product.wait_for(rf"exited: {name} \(terminated by SIGKILL")
        eventually(partial(_is_new, product, name, victim.pid))
        eventually(product.ready)


def _is_new(product: Product, name: str, old: int) -> bool:
    try:
        return product.main_process(name).pid != old
    except (StopIteration, psutil.Error):
        return False


def test_without_consul_it_runs_and_says_why_there_is_no_demo(data: Path) -> None:
    with Product(data, PATH=str(data.parent / "empty")) as product:
        product.wait_for(r"no demo, because there is no consul binary")
        product.wait_for(READY)
        assert clusters(product) == set()


def test_the_environment_gives_the_first_cluster_and_the_password(data: Path) -> None:
    given = {"CONSUL_HTTP_ADDR": "127.0.0.1:1", "CONSULOPS_ADMIN_PASSWORD": "correct horse 9"}
    with Product(data, "--no-demo", **given) as product:
        product.wait_for(READY)
        _, text = product.get("/metrics")
        assert 'consulops_cluster_failing{cluster="consul"}' in text
        assert not product.said(PASSWORD)
        assert not any("correct horse" in line for line in product.lines)


def test_a_port_that_is_taken_is_one_clear_line(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = manage(data, "up", "--bind", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"ConsulOps cannot start: port {port} of 127.0.0.1 is taken")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"CONSULOPS_BINDE": "x"}, "CONSULOPS_BINDE: no such setting; see docs/settings.md."),
        ({"CONSULOPS_BIND": "8000"}, "CONSULOPS_BIND: the value is not HOST:PORT."),
        ({"CONSULOPS_DEMO": "maybe"}, "CONSULOPS_DEMO: the value is neither 0 nor 1."),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "the database does not answer: "),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL: "),
        ({"CONSULOPS_ENCRYPTION_KEYS": "short"}, "CONSULOPS_ENCRYPTION_KEYS: "),
    ],
)
def test_a_bad_environment_is_one_clear_line(data: Path, extra: dict[str, str], said: str) -> None:
    done = manage(data, "up", **extra)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"ConsulOps cannot start: {said}")
    assert done.stderr.count("\n") == 1


def test_a_data_folder_that_cannot_be_written_is_one_clear_line(data: Path) -> None:
    data.touch()
    done = manage(data / "inside", "up")
    assert done.returncode == 1
    assert done.stderr.startswith("ConsulOps cannot start: ")
    assert done.stderr.count("\n") == 1

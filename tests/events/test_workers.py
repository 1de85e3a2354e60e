"""Handlers under real worker processes: two at once, killed in the midst, and stopped in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from psycopg.conninfo import make_conninfo

from consulops.accounts.audit import Actor
from consulops.clusters.services import save_cluster
from consulops.core import postgres
from consulops.events.models import Feed, Run
from consulops.lab.cluster import LocalCluster
from consulops.loops.models import Lease
from tests.chaos.conftest import watch
from tests.chaos.worker import Worker
from tests.events.things import fire, make_handler, make_program_handler, write_program
from tests.receivers import WebhookReceiver
from tests.waiting import eventually

__all__ = ["watch"]

pytestmark = [pytest.mark.consul, pytest.mark.product, pytest.mark.django_db(transaction=True)]

WAIT_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the programs say that they ran."""
    return tmp_path / "log"


@pytest.fixture
def program(log: Path) -> Iterator[Callable[[str], str]]:
    """Puts a program where the workers look for it."""
    folder = settings.DATA / "executables"
    name = f"test-{os.getpid()}"

    def put(text: str) -> str:
        return write_program(folder, text, name)

    yield put
    (folder / name).unlink(missing_ok=True)


@pytest.fixture
def watched(fresh_consul: LocalCluster) -> Callable[[], bool]:
    """Makes the cluster; says whether somebody has begun to watch it."""
    save_cluster(Actor.named("test"), "dc1", {"address": fresh_consul.address})
    return lambda: Feed.objects.exclude(address="").exists()


def words(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def pid_of_runner() -> int:
    return int(Lease.objects.get(key="event-handlers").owner.split(":")[1])


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_two_workers_run_a_handler_once(
    fresh_consul: LocalCluster,
    watched: Callable[[], bool],
    hook: WebhookReceiver,
    watch: Callable[[], Worker],
    program: Callable[[str], str],
    log: Path,
) -> None:
    text = f'grep -o \'"ID":"[^"]*"\' >> {log}'
    make_program_handler(program(text))
    make_handler(url=hook.url)
    watch()
    watch()
    eventually(watched, WAIT_S)
    fired = [fire(fresh_consul, f"n{number}") for number in range(20)]
    eventually(lambda: Run.objects.filter(state="done").count() == 40, WAIT_S)
    assert words(log) == [f'"ID":"{one}"' for one in fired]
    assert [request.json()["id"] for request in hook.requests] == fired


def test_a_worker_is_killed_in_the_midst(
    fresh_consul: LocalCluster,
    watched: Callable[[], bool],
    program: Callable[[str], str],
    log: Path,
    tmp_path: Path,
) -> None:
    make_program_handler(program(f"echo $$ >> {log}; exec sleep 600"), timeout_s=600)
    database = make_conninfo(**postgres.listen_parameters())
    with Worker(database, settings.DATA, tmp_path / "watch.log"):
        eventually(watched, WAIT_S)
        fire(fresh_consul)
        eventually(lambda: len(words(log)) == 1, WAIT_S)
        killed = pid_of_runner()
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: Run.objects.filter(state="lost").exists(), WAIT_S)
        assert pid_of_runner() != killed
        # What the dead one had started is not started again; what comes next is.
        fire(fresh_consul)
        eventually(lambda: len(words(log)) == 2, WAIT_S)
    orphan, child = map(int, words(log))
    eventually(lambda: is_gone(child))
    results = list(Run.objects.order_by("pk").values_list("state", "result", "attempts"))
    assert results == [
        ("lost", "The worker that ran it ended in the midst of it.", 0),
        ("lost", "ConsulOps was stopped in the midst of it.", 1),
    ]
    if not is_gone(orphan):
        os.kill(orphan, signal.SIGKILL)

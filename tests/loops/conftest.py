"""Real worker processes on the test database, and the diary that their loops write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from django.conf import settings
from psycopg.conninfo import make_conninfo

from consulops.core import postgres
from tests.loops import diary as diaries
from tests.loops.diary import Diary

STOP_S = 20


class WorkProcess:
    """`manage.py work watch|ops` as `up` starts it."""

    def __init__(self, cluster: str, log: Path) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("Q_CLUSTER", "CONSULOPS_PROCESS"))
        }
        environment |= {
            "DATABASE_URL": make_conninfo(**postgres.listen_parameters()),
            "DJANGO_SETTINGS_MODULE": "tests.loops.worker_settings",
        }
        self.log = log
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "manage.py", "work", cluster],
                cwd=settings.BASE_DIR,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.main = psutil.Process(self.popen.pid)

    def family(self) -> list[psutil.Process]:
        """The main process and everything below it."""
        return [self.main, *self.main.children(recursive=True)]

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """Asks it to stop; returns its exit code."""
        self.popen.send_signal(with_signal)
        return self.popen.wait(STOP_S)

    def begin_to_end(self) -> None:
        """Whatever a test has done to it, it can stop now."""
        self._left = self.family() if self.popen.poll() is None else []
        for process in self._left:
            process.resume()
        if self.popen.poll() is None:
            self.popen.terminate()

    def end(self) -> None:
        """Nothing of it remains."""
        _, alive = psutil.wait_procs(self._left, timeout=STOP_S)
        for process in alive:
            process.kill()
        self.popen.wait(STOP_S)


@pytest.fixture
def link(transactional_db: None) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of the test's own, beside Django's."""
    with psycopg.connect(**postgres.listen_parameters(), autocommit=True) as opened:
        yield opened


@pytest.fixture
def diary(link: psycopg.Connection[tuple[object, ...]]) -> Iterator[Diary]:
    link.execute(diaries.TABLES)
    yield Diary(link)
    link.execute(diaries.DROP)


@pytest.fixture
def work(tmp_path: Path, diary: Diary) -> Iterator[Callable[[str], WorkProcess]]:
    """Starts worker processes; none outlives the test."""
    started: list[WorkProcess] = []

    def start(cluster: str) -> WorkProcess:
        started.append(WorkProcess(cluster, tmp_path / f"{len(started)}-{cluster}.log"))
        return started[-1]

    yield start
    for process in started:
        process.begin_to_end()
    for process in started:
        process.end()

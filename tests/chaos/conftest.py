"""What the chaos tests break, and what they see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from consulops.core import postgres
from tests.chaos.worker import Worker
from tests.receivers import WebhookReceiver


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def watch(transactional_db: None, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    """Starts `manage.py work watch` on the test's database; it is stopped with the test."""
    started: list[Worker] = []

    def start() -> Worker:
        url = make_conninfo(**postgres.listen_parameters())
        started.append(Worker(url, tmp_path / "watch.log"))
        return started[-1]

    yield start
    for worker in started:
        worker.stop()

"""What the chaos tests break, and what they see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
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
    with ExitStack() as started:

        def start() -> Worker:
            url = make_conninfo(**postgres.listen_parameters())
            return started.enter_context(Worker(url, settings.DATA, tmp_path / "watch.log"))

        yield start

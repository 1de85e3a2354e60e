"""The folder of programs, and a receiver of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consulops.clusters.models import Cluster
from tests.receivers import WebhookReceiver


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    return tmp_path / "executables"


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def cluster(db: None) -> Cluster:
    """A cluster that nobody asks anything."""
    return Cluster.objects.create(name="dc1", address="http://127.0.0.1:1")

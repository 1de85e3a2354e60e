"""What every test may use: a real PostgreSQL (see settings.py) and no process left behind."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

pytest_plugins = ["tests.people", "tests.consul", "tests.browsers"]


@pytest.fixture(scope="session", autouse=True)
def _no_process_left_behind() -> Iterator[None]:
    """Fails the run when a test leaves a process of its own running."""
    mine = psutil.Process()
    before = {child.pid for child in mine.children(recursive=True)}
    yield
    left = [child for child in mine.children(recursive=True) if child.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not alive, f"processes left behind: {[' '.join(one.cmdline()) for one in alive]}"

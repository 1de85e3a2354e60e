"""What every test may use: a real PostgreSQL of its own, people, and no process left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import psutil
import pytest

from consulops.core import embedded_postgres

pytest_plugins = ["tests.people", "tests.consul"]

# Before Django reads its settings: tests never touch the data of a running product.
_FOLDER = Path(tempfile.mkdtemp(prefix="consulops-test-"))
_FOLDER.chmod(0o755)
for name in [name for name in os.environ if name.startswith(("CONSUL_HTTP", "CONSULOPS_"))]:
    del os.environ[name]
os.environ["CONSULOPS_DATA"] = str(_FOLDER)
_SERVER = embedded_postgres.start(_FOLDER)
os.environ["DATABASE_URL"] = _SERVER.get_uri(database=embedded_postgres.DATABASE)
# Not in pyproject.toml: pytest-django would read the settings before this file is.
os.environ["DJANGO_SETTINGS_MODULE"] = "consulops.settings"
django.setup()


@pytest.fixture(scope="session", autouse=True)
def _no_process_left_behind() -> Iterator[None]:
    """Fails the run when a test leaves a process of its own running."""
    mine = psutil.Process()
    before = {child.pid for child in mine.children(recursive=True)}
    yield
    left = [child for child in mine.children(recursive=True) if child.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not alive, f"processes left behind: {[' '.join(one.cmdline()) for one in alive]}"


def pytest_unconfigure() -> None:
    _SERVER.cleanup()
    shutil.rmtree(_FOLDER, ignore_errors=True)

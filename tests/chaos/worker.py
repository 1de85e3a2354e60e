"""The worker process that runs the loops, as `up` starts it, for tests that kill it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.product import ROOT

STOP_S = 20


class Worker:
    """`manage.py work watch` on the database of this URL."""

    def __init__(self, database: str, log: Path) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("Q_CLUSTER", "CONSULOPS_PROCESS", "DJANGO_SETTINGS"))
        }
        with log.open("ab") as output:
            self._main = psutil.Popen(
                [sys.executable, "manage.py", "work", "watch"],
                cwd=ROOT,
                env={**kept, "DATABASE_URL": database},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        """Stops it in order, and what is left of it the hard way."""
        family = [self._main, *self._main.children(recursive=True)]
        self._main.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_S)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=STOP_S)

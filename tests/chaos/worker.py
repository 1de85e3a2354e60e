"""The worker process that runs the loops, as `up` starts it, for tests that kill it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.product import ROOT, clean_environment

STOP_S = 20


class Worker:
    """`manage.py work watch` on the database of this URL; the data folder has its keys.

    A context manager that stops it; it runs from the start.
    """

    def __init__(self, database: str, data: Path, log: Path) -> None:
        with log.open("ab") as output:
            self._main = psutil.Popen(
                [sys.executable, "manage.py", "work", "watch"],
                cwd=ROOT,
                env=clean_environment(data, {"DATABASE_URL": database}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops it in order, and what is left of it the hard way."""
        family = [self._main, *self._main.children(recursive=True)]
        self._main.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_S)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=STOP_S)

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
    """`manage.py work watch` (or ops) on the database of this URL; the data folder has its keys.

    A context manager that stops it; it runs from the start.
    """

    def __init__(self, database: str, data: Path, log: Path, cluster: str = "watch") -> None:
        with log.open("ab") as output:
            self._main = psutil.Popen(
                [sys.executable, "manage.py", "work", cluster],
                cwd=ROOT,
                env=clean_environment(data, {"DATABASE_URL": database}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def family(self) -> list[psutil.Process]:
        """The main process and everything below it."""
        return [self._main, *self._main.children(recursive=True)]

    def freeze(self) -> None:
        """Stops all of it by SIGSTOP, from the top: nobody replaces what does not move."""
        for process in self.family():
            process.suspend()

    def thaw(self) -> None:
        for process in reversed(self.family()):
            process.resume()

    def kill(self) -> None:
        """Ends all of it by kill -9: nobody is left to start anything again."""
        family = self.family()
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=STOP_S)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops it in order, and what is left of it the hard way."""
        if not self._main.is_running():
            return
        family = self.family()
        self._main.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_S)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=STOP_S)

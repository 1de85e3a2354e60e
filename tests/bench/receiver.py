"""The receiver of webhooks, in a process of its own so that it measures and does not disturb."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message: the wall clock when its body was complete, its idempotency key, its content."""

    at: float
    key: str
    message: dict[str, Any]

    @property
    def check(self) -> tuple[str, str]:
        """Node and check id of its first alert."""
        return self.checks[0]

    @property
    def checks(self) -> list[tuple[str, str]]:
        """Node and check id of each of its alerts."""
        return [(alert["node"], alert["check"]) for alert in self.message["alerts"]]


class Receiver:
    """`python -m tests.receivers webhook` as a context manager; it ends with this process."""

    def __init__(self) -> None:
        self.url = ""
        self._queue: queue.Queue[Arrival] = queue.Queue()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.receivers", "webhook"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)

    def next(self, timeout_s: float = WAIT_S) -> Arrival:
        """The oldest message that was not asked for yet. Raises queue.Empty."""
        return self._queue.get(timeout=timeout_s)

    def rest(self) -> list[Arrival]:
        """What has come in and was not asked for."""
        found = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            request = json.loads(line)
            self._queue.put(
                Arrival(
                    at=request["at"],
                    key=request["headers"]["Idempotency-Key"],
                    message=json.loads(request["body"]),
                )
            )

"""The one thread in which a supervisor and its loops use the database."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, InternalError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")

# Whoever holds a row or a transaction for longer than this has lost its leases anyway. The server
# ends such a session, so that a worker that was stopped in mid-transaction blocks nobody.
PATIENCE_S = 8


# What is raised when the server is away, restarts, or became read-only: over with the next link.
TROUBLE = (OperationalError, InterfaceError, InternalError)


class DatabaseThread:
    """Runs functions one after the other in a thread that owns one Django connection."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._thread = 0
        self._began_at: float | None = None
        self._is_abandoned = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls the function in the thread. Cancelling the caller does not stop the function."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, lambda: self._timed(function, *args, **kwargs)
        )

    def _timed(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._thread, self._began_at = threading.get_ident(), time.monotonic()
        try:
            return _call(function, *args, **kwargs)
        finally:
            self._began_at = None
            if self._is_abandoned:
                connection.close()

    def busy_s(self) -> float:
        """For how many seconds the function that runs now has been running."""
        began_at = self._began_at
        return 0.0 if began_at is None else time.monotonic() - began_at

    def where(self) -> str:
        """What the thread is doing, as a stack of calls."""
        frame = sys._current_frames().get(self._thread)
        return "".join(traceback.format_stack(frame)[-12:]) if frame else "nothing\n"

    def abandon(self) -> None:
        """Leaves a thread that is stuck behind: it ends by itself or never."""
        self._is_abandoned = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        """Ends the connection and the thread, after what is still queued."""
        # A lambda: looked up in the thread, `connection` is the thread's.
        await self.run(lambda: connection.close())
        self._executor.shutdown()


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        if connection.connection is None:
            _connect()
        return function(*args, **kwargs)
    except TROUBLE:
        # The link may be dead: without this every later call would fail on it as well.
        connection.close()
        raise


def _connect() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, false),"
            " set_config('lock_timeout', %s, false)",
            [f"{PATIENCE_S}s", f"{PATIENCE_S}s"],
        )

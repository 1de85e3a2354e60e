"""The line from a worker's main process to its children; it breaks when that process goes.

django-q2 tells its workers to stop with a pill in their queue, which a busy one does not read: a
supervisor would run on for ten minutes. So the main process opens a pipe before it forks and
alone keeps the end to write; whoever reads sees the end of file when it stops, also by kill -9.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1

# Names this process and, as it is drawn before the fork, all its children.
FAMILY = secrets.token_hex(4)

_read = -1
_write = -1
_parent = 0


def tie() -> None:
    """Opens the line; for the main process, once, before it forks."""
    global _read, _write
    _read, _write = os.pipe()
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)


def cut() -> None:
    """Tells all children to stop; for the main process."""
    global _write
    if _write >= 0:
        os.close(_write)
        _write = -1


def is_cut(wait_s: float = 0) -> bool:
    """Whether the main process wants us to stop, waiting up to `wait_s` for it."""
    if _read < 0:
        return False
    return bool(select.select([_read], [], [], wait_s)[0])


@contextmanager
def watched(stop: Callable[[], None]) -> Iterator[None]:
    """For as long as the block lasts, calls `stop` when the line is cut."""
    loop = asyncio.get_running_loop()

    def on_cut() -> None:
        loop.remove_reader(_read)
        stop()

    if _read >= 0:
        loop.add_reader(_read, on_cut)
    try:
        yield
    finally:
        if _read >= 0:
            loop.remove_reader(_read)


def _before_fork() -> None:
    global _parent
    _parent = os.getpid()


def _in_child() -> None:
    cut()
    if sys.platform == "linux":
        # A process whose parent is killed -9 would live on, with leases and database connections
        # that nobody looks after. The kernel ends it with its parent; other systems cannot.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != _parent:
            os._exit(1)

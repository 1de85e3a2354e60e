"""Keeps one PostgreSQL server running until nobody uses it; started by embedded_postgres.py.

Every user of the server holds a shared lock on a file. The keeper asks for the exclusive lock and
sleeps: the kernel hands it over when the last user has ended, also one that was killed with -9.
Runs as a script on the standard library alone, so that it costs little memory.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from types import FrameType

# From <sys/prctl.h>.
PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 6
# "Fast shutdown" in PostgreSQL: ends the sessions, loses nothing that was committed.
FAST = signal.SIGINT


def _end_with_keeper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, FAST)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)


def keep(lock_path: str, account: str, command: list[str]) -> None:
    """Runs the server's command as that user id (empty: ours) until the lock is free."""
    lock = os.open(lock_path, os.O_RDWR)
    ids = [int(part) for part in account.split(":")] if account else None
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGCHLD, _end)
    server = subprocess.Popen(  # noqa: S603 - the command comes from embedded_postgres.py
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        user=ids[0] if ids else None,
        group=ids[1] if ids else None,
        extra_groups=[] if ids else None,
        preexec_fn=_end_with_keeper,
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.send_signal(FAST)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


if __name__ == "__main__":
    keep(sys.argv[1], sys.argv[2], sys.argv[3:])

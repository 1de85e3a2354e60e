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
import time
from types import FrameType

# From <sys/prctl.h>.
PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 6
# A server that ends before this age did not start: that is for a person to mend.
YOUNG_S = 5
TRIES, PAUSE_S = 20, 0.5
# "Fast shutdown" in PostgreSQL: ends the sessions, loses nothing that was committed.
FAST = signal.SIGINT


def _end_with_keeper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, FAST)


class ServerDied(Exception):
    """The server has ended although nobody stopped it."""


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)


def _died(_number: int, _frame: FrameType | None) -> None:
    raise ServerDied


def keep(lock_path: str, account: str, command: list[str]) -> None:
    """Runs the server's command as that user id (empty: ours) until the lock is free.

    A server that has served for a while and dies is started again; one that cannot start is not:
    whoever started the keeper sees it end.
    """
    lock = os.open(lock_path, os.O_RDWR)
    signal.signal(signal.SIGTERM, _end)
    tries = 0
    while True:
        began = time.monotonic()
        try:
            _keep_one(lock, account, command)
            return
        except ServerDied:
            if time.monotonic() - began > YOUNG_S:
                tries = TRIES
            if not tries:
                raise SystemExit(1) from None
            tries -= 1
            # The dead server's sessions hold its memory until they notice, which takes a moment.
            time.sleep(PAUSE_S)


def _keep_one(lock: int, account: str, command: list[str]) -> None:
    """Runs one server until the lock is free. Raises ServerDied."""
    ids = [int(part) for part in account.split(":")] if account else None
    signal.signal(signal.SIGCHLD, _died)
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
    except ServerDied:
        server.wait()
        raise
    except SystemExit:
        _stop(server)
        raise
    _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
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

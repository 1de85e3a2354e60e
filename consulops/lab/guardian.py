"""Ends the servers of a local cluster when the process that started them dies, however it dies.

Run as a script, never imported. It leads the process group that the servers join. Its standard
input is a pipe that only the starting process holds open: when it closes, the whole group, this
process included, is killed. PR_SET_PDEATHSIG is not used because it fires when the *thread* that
started the server ends, and servers are started from short-lived threads.
"""

from __future__ import annotations

import os
import select
import signal
import sys


def main() -> None:
    """Waits until the pipe closes or the owner ends, then kills the group."""
    # Linux sends SIGHUP to a group that loses its parent while one of its members is frozen.
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    watched = [sys.stdin.fileno()]
    # A forked child of the owner may hold a copy of the pipe: then the owner's end is seen here.
    if hasattr(os, "pidfd_open"):
        try:
            watched.append(os.pidfd_open(int(sys.argv[1])))
        except ProcessLookupError:
            os.killpg(0, signal.SIGKILL)
    select.select(watched, [], [])
    os.killpg(0, signal.SIGKILL)


main()

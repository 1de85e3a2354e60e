"""Runs a command that is told to stop when its parent dies, also by kill -9: bound.py COMMAND…

Runs as a script on the standard library alone and is replaced by the command, whose process the
kernel then sends SIGTERM when the parent has gone. Other systems than Linux cannot do this.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# From <sys/prctl.h>.
PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the whole point

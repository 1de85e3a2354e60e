"""Runs supervisord as a child and passes on what it and its processes say."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from consulops.core.up import bound

log = logging.getLogger("consulops.up")

# 2026-01-01 12:00:00,123 WARN exited: web (terminated by SIGKILL; not expected)
_OWN_LINE = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (CRIT|ERRO|WARN) (.*)$")
# Said at each start and stop, and of no use to anybody.
_IDLE_TALK = (b"Set uid to user", b"received SIGTERM", b"stopped: ")
# Longer than supervisord gives its processes, shorter than the ten seconds that we promise.
STOP_TIMEOUT_S = 9


class Supervision:
    """A running supervisord; it is stopped, with all its processes, by `stop`."""

    def __init__(self, configuration: Path) -> None:
        words = [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)]
        # A session of its own: Ctrl-C reaches `up` alone, which then stops all in order.
        self._process = subprocess.Popen(  # noqa: S603 - the words are ours
            [sys.executable, "-I", "-S", bound.__file__, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - PIPE was asked for
        self._pump = threading.Thread(target=_pass_on, args=(self._process.stdout,), daemon=True)
        self._pump.start()

    def has_ended(self) -> bool:
        """Whether supervisord has gone, which nobody should have made it do."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Stops all processes; kills supervisord, and by that the rest, when it takes too long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            log.warning("some processes did not stop in time and are killed")
            self._process.kill()
            self._process.wait()
        self._pump.join(1)


def _pass_on(lines: IO[bytes]) -> None:
    for line in lines:
        own = _OWN_LINE.match(line)
        if own is None:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
        elif not own[2].startswith(_IDLE_TALK):
            log.warning("%s", own[2].decode(errors="replace"))

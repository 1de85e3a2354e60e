"""Signs of life of the main processes, so that the System page knows them on every host."""

from __future__ import annotations

import logging
import socket
import time
from datetime import UTC, datetime

import psutil
from django.db import InterfaceError, OperationalError, connection

from consulops.loops.models import Worker

log = logging.getLogger(__name__)

EVERY_S = 10.0

_beaten_at = float("-inf")


def beat(process: str, pid: int) -> None:
    """Says that the main process `pid` of this host lives; may be called at any rate."""
    global _beaten_at
    if time.monotonic() - _beaten_at < EVERY_S:
        return
    _beaten_at = time.monotonic()
    main = psutil.Process(pid)
    family = [main, *main.children(recursive=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO loops_worker"
            " (process, host, pid, started_at, beat_at, children, resident_bytes)"
            " VALUES (%s, %s, %s, %s, now(), %s, %s)"
            " ON CONFLICT (host, pid) DO UPDATE SET process = excluded.process,"
            " started_at = excluded.started_at, beat_at = now(),"
            " children = excluded.children, resident_bytes = excluded.resident_bytes",
            [
                process,
                socket.gethostname(),
                pid,
                datetime.fromtimestamp(main.create_time(), UTC),
                len(family) - 1,
                sum(_resident_bytes(member) for member in family),
            ],
        )
    # The sentinel forks workers, which must not inherit its connection.
    connection.close()


def leave(pid: int) -> None:
    """Takes the sign of life away of a main process that stops in order: it is not missed."""
    try:
        Worker.objects.filter(host=socket.gethostname(), pid=pid).delete()
    except (OperationalError, InterfaceError) as error:
        log.warning("cannot sign off: %s", str(error).strip())


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0

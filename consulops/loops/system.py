"""What the System page shows: read in a handful of queries, however large the product is."""

from __future__ import annotations

import os
import platform
import socket
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

import django
import psutil
from django.conf import settings
from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone
from django_q.models import Failure, OrmQ

from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.loops import registry
from consulops.loops.models import Lease, Supervisor, Worker
from consulops.loops.services import OPS, WATCH

FAILURES_SHOWN = 20
# A main process says every ten seconds that it lives, a supervisor every two.
SILENT_S = 25.0


@dataclass(frozen=True, slots=True)
class LoopRow:
    """A loop and whoever runs it."""

    key: str
    state: Status
    word: str
    lease: Lease


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue of tasks: those that nobody has taken yet, and those in somebody's hands."""

    name: str
    waiting: int
    taken: int


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A main process and whether it still gives signs of life."""

    worker: Worker
    state: Status
    word: str


def processes() -> list[ProcessRow]:
    """The main processes of all hosts, beginning with the one that answers."""
    known = Worker.objects.exclude(host=socket.gethostname(), pid=os.getpid())
    now = timezone.now()
    rows = [ProcessRow(_myself(), Status.PASSING, "Answers you")]
    for worker in known:
        silent = (now - worker.beat_at).total_seconds() > SILENT_S
        rows.append(
            ProcessRow(worker, Status.CRITICAL, "Silent")
            if silent
            else ProcessRow(worker, Status.PASSING, "Alive")
        )
    return rows


def _myself() -> Worker:
    me = psutil.Process()
    return Worker(
        process="web",
        host=socket.gethostname(),
        pid=me.pid,
        started_at=datetime.fromtimestamp(me.create_time(), UTC),
        beat_at=timezone.now(),
        resident_bytes=me.memory_info().rss,
    )


def supervisors() -> QuerySet[Supervisor]:
    return Supervisor.objects.alive()


def loops() -> list[LoopRow]:
    """Every loop that should run or still has a lease, those that nobody runs first."""
    leases = {lease.key: lease for lease in Lease.objects.all()}
    desired = set(registry.desired_keys())
    now = timezone.now()
    rows = [
        _loop_row(leases.get(key) or Lease(key=key), key in desired, now)
        for key in desired | set(leases)
    ]
    shown = [row for row in rows if row.key in desired or row.state is not Status.NONE]
    return sorted(shown, key=lambda row: (row.state is Status.PASSING, row.key))


def _loop_row(lease: Lease, desired: bool, now: datetime) -> LoopRow:
    if lease.owner and lease.expires_at > now:
        return LoopRow(lease.key, Status.PASSING, "Runs", lease)
    if desired:
        return LoopRow(lease.key, Status.CRITICAL, "Nobody runs it", lease)
    return LoopRow(lease.key, Status.NONE, "Not wanted", lease)


def queues() -> list[QueueRow]:
    """Both queues; a process's own mailbox counts to its cluster."""
    now = timezone.now()
    waiting: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    rows: Iterable[tuple[str, datetime | None]] = OrmQ.objects.values_list("key", "lock")
    for key, lock in rows:
        side = taken if lock is not None and lock > now else waiting
        side[key.partition("@")[0]] += 1
    return [QueueRow(name, waiting[name], taken[name]) for name in (WATCH, OPS)]


def failures() -> list[Failure]:
    return list(Failure.objects.order_by("-stopped")[:FAILURES_SHOWN])


def clusters() -> list[dict[str, object]]:
    """When each cluster last told us something; one that was never asked has no state yet."""
    state = ("answered_at", "event_at", "error", "error_at")
    rows = Cluster.objects.order_by("name").values(
        "pk", "name", **{name: F(f"state__{name}") for name in state}
    )
    return [dict(row) for row in rows]


def facts() -> list[tuple[str, str]]:
    """Versions, and the size of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database())),"
            " current_setting('server_version')"
        )
        size, server = cursor.fetchone()
    return [
        ("ConsulOps", _version()),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
        ("django-q2", version("django-q2")),
        ("PostgreSQL", server),
        ("Database size", size),
    ]


@cache
def _version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])

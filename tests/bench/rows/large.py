"""One cluster with 50,000 checks."""

from __future__ import annotations

from tests.bench.row import Row
from tests.bench.rows import idle, latency, worker

CHECKS = 50_000

FAIL = Row(
    name="fail-50000",
    what="a check fails → webhook, 50,000 checks",
    unit="ms",
    checks=CHECKS,
    trials=30,
    measure=latency.failures,
    median=40,
)
MEMORY = Row(
    name="memory-50000",
    what="resident memory of the worker, 50,000 checks",
    unit="MiB",
    checks=CHECKS,
    trials=5,
    measure=worker.memory,
    worst=500,
)
IDLE = Row(
    name="idle-50000",
    what="idle, 50,000 checks: CPU of all processes",
    unit="% of a core",
    checks=CHECKS,
    trials=3,
    measure=idle.measure,
    worst=5,
)

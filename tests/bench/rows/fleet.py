"""Fifty clusters with 200 checks each, watched by one worker process."""

from __future__ import annotations

import time

from tests.bench.row import Measured, Row
from tests.bench.rows import idle, latency, worker
from tests.bench.world import World

CLUSTERS, CHECKS = 50, 200
# That of one cluster with 30 checks may be 25 and 80.
MEDIAN_MS, P95_MS = 50, 160
CONSUL_WINDOW_S = 10.0


def failures(world: World, trials: int) -> Measured:
    """How long until a failure is told, and what the many Consuls take from the machine."""
    told = latency.failures(world, trials)
    return Measured(told.samples, {**told.facts, "consul_cpu_percent": _consul_percent(world)})


def _consul_percent(world: World) -> float:
    """What all the Consuls together use while nothing happens, in percent of a core."""
    before, began = _consul_cpu_s(world), time.monotonic()
    time.sleep(CONSUL_WINDOW_S)
    used_s = _consul_cpu_s(world) - before
    return round(used_s / (time.monotonic() - began) * 100, 1)


def _consul_cpu_s(world: World) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in world.consuls.processes())


FAIL = Row(
    name="fleet-50x200",
    what="a check fails → webhook, 50 clusters with 200 checks each",
    unit="ms",
    clusters=CLUSTERS,
    checks=CHECKS,
    trials=30,
    measure=failures,
    median=MEDIAN_MS,
    p95=P95_MS,
)
MEMORY = Row(
    name="fleet-memory",
    what="resident memory of the one worker that watches the 50 clusters",
    unit="MiB",
    clusters=CLUSTERS,
    checks=CHECKS,
    trials=5,
    measure=worker.memory,
    worst=400,
)
IDLE = Row(
    name="fleet-idle",
    what="idle, 50 clusters: CPU of all processes",
    unit="% of a core",
    clusters=CLUSTERS,
    checks=CHECKS,
    trials=3,
    measure=idle.measure,
)

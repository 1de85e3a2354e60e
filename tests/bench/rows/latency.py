"""From a change of one check in Consul to the message at the receiver."""

from __future__ import annotations

import time
from random import SystemRandom

from tests.bench.row import Broken, Measured, Row
from tests.bench.world import Check, World

SMALL, LARGE = 30, 5000
# Changes come at no fixed beat, so that none of ours can fall in step with them.
PAUSE_S = (0.3, 0.8)
_random = SystemRandom()


def failures(world: World, trials: int) -> Measured:
    """How long until a failure is told, in milliseconds."""
    return Measured([_one(world, number)[0] for number in range(trials)])


def recoveries(world: World, trials: int) -> Measured:
    """How long until a recovery is told, in milliseconds."""
    return Measured([_one(world, number)[1] for number in range(trials)])


def _one(world: World, number: int) -> tuple[float, float]:
    # Another check each time, from all over the list.
    check = world.checks[number * 37 % len(world.checks)]
    return _told(world, check, "critical", "opened"), _told(world, check, "passing", "resolved")


def _told(world: World, check: Check, status: str, reason: str) -> float:
    time.sleep(_random.uniform(*PAUSE_S))
    before = world.set([check], status)
    arrival = world.receiver.next()
    if (arrival.check, arrival.message["reason"]) != (check, reason):
        raise Broken(f"{check} became {status}, and this came: {arrival.message}")
    return (arrival.at - before) * 1000


FAIL_SMALL = Row(
    name="fail-30",
    what="a check fails → webhook, 30 checks",
    unit="ms",
    checks=SMALL,
    trials=30,
    measure=failures,
    median=25,
    p95=80,
    elsewhere="10.1 s, 60.5 s by default",
)
FAIL_LARGE = Row(
    name="fail-5000",
    what="a check fails → webhook, 5,000 checks",
    unit="ms",
    checks=LARGE,
    trials=30,
    measure=failures,
    median=30,
    p95=120,
    elsewhere="27.5 s",
)
RECOVER = Row(
    name="recover-5000",
    what="it recovers → webhook, 5,000 checks",
    unit="ms",
    checks=LARGE,
    trials=30,
    measure=recoveries,
    median=40,
    elsewhere="29 s",
)

"""From a change of one check in Consul to the message at the receiver."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import SystemRandom
from statistics import median

from tests.bench.consuls import Check
from tests.bench.row import Broken, Measured, Row
from tests.bench.world import World

SMALL, LARGE = 30, 5000
# Changes come at no fixed beat, so that none of ours can fall in step with them.
PAUSE_S = (0.3, 0.8)
_random = SystemRandom()


# When the watcher began to record the change, and when the courier began to send the message.
_STAMPS = """SELECT extract(epoch FROM change.at)::float8, extract(epoch FROM attempt.at)::float8
    FROM (SELECT max(at) AS at FROM health_transition) AS change,
         (SELECT max(at) AS at FROM alerts_attempt) AS attempt"""


@dataclass(frozen=True, slots=True)
class Told:
    """One change that was told; all in milliseconds, the parts from one stamp to the next."""

    whole: float
    seen: float
    decided: float
    sent: float


def failures(world: World, trials: int) -> Measured:
    """How long until a failure is told, in milliseconds."""
    return _measured([_one(world, number)[0] for number in range(trials)])


def recoveries(world: World, trials: int) -> Measured:
    """How long until a recovery is told, in milliseconds."""
    return _measured([_one(world, number)[1] for number in range(trials)])


def _measured(told: Sequence[Told]) -> Measured:
    parts = {
        "consul_and_watcher": [one.seen for one in told],
        "recording_and_deciding": [one.decided for one in told],
        "sending": [one.sent for one in told],
    }
    medians = {name: round(median(values), 1) for name, values in parts.items()}
    return Measured([one.whole for one in told], {"median_of_parts_ms": medians})


def _one(world: World, number: int) -> tuple[Told, Told]:
    # Another check each time, from all over the list.
    check = world.checks[number * 37 % len(world.checks)]
    return _told(world, check, "critical", "opened"), _told(world, check, "passing", "resolved")


def _told(world: World, check: Check, status: str, reason: str) -> Told:
    time.sleep(_random.uniform(*PAUSE_S))
    before = world.set([check], status)
    arrival = world.receiver.next()
    if (arrival.check, arrival.message["reason"]) != (check, reason):
        raise Broken(f"{check} became {status}, and this came: {arrival.message}")
    world.wait(lambda: not world.waiting())
    row = world.link.execute(_STAMPS).fetchone()
    assert row is not None
    stamps = (before, *row, arrival.at)
    parts = [(later - earlier) * 1000 for earlier, later in pairwise(stamps)]
    return Told(sum(parts), *parts)


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

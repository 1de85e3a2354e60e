"""The worker that watches is killed with -9 in the middle of a burst."""

from __future__ import annotations

import os
import signal
import time

from tests.bench.row import Measured, Row
from tests.bench.rows.burst import verify
from tests.bench.world import World

FAILING = 200

_IN_OLD_HANDS = """SELECT count(*) FROM loops_lease
    WHERE owner = '' OR expires_at < now() OR started_at < to_timestamp(%s)"""
_ANSWERED = "SELECT count(*) FROM clusters_clusterstate WHERE answered_at > to_timestamp(%s)"


def measure(world: World, trials: int) -> Measured:
    """How long until all its loops run again, in seconds."""
    samples, doubled = [], []
    for number in range(trials):
        start = number * FAILING % len(world.checks)
        checks = world.checks[start : start + FAILING]
        newest = world.number("SELECT coalesce(max(id), 0) FROM health_transition")
        world.set(checks, "critical")
        # Some have been told, the others are in the middle of it.
        first = world.receiver.next()
        killed_at = _kill(world)
        samples.append(_runs_again(world, killed_at))
        arrived = [first, *world.arrivals([one for one in checks if one != first.check])]
        world.wait(lambda: not world.waiting())
        arrived += world.receiver.rest()
        doubled.append(verify(world, checks, arrived, newest, may_repeat=True))
        world.recover(checks)
    return Measured(samples, {"lost": 0, "sent_again_under_the_same_key": doubled})


def _kill(world: World) -> float:
    """Kills the process that holds the lease of the watcher; the wall clock just before."""
    row = world.link.execute("SELECT owner FROM loops_lease WHERE key LIKE 'checks:%'").fetchone()
    assert row is not None
    before = time.time()
    os.kill(int(row[0].split(":")[1]), signal.SIGKILL)
    return before


def _runs_again(world: World, killed_at: float) -> float:
    """Waits until other hands hold every lease and Consul has answered the watcher."""
    world.wait(
        lambda: (
            not world.number(_IN_OLD_HANDS, killed_at) and world.number(_ANSWERED, killed_at) > 0
        )
    )
    return time.time() - killed_at


ROW = Row(
    name="kill-9",
    what="the watching worker is killed with -9 in a burst of 200 → its loops run again",
    unit="s",
    checks=5000,
    trials=10,
    measure=measure,
    worst=10,
    elsewhere="failures are lost",
)

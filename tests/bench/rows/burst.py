"""Many checks fail at once: everything is told, one by one, and soon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.bench.consuls import Check
from tests.bench.receiver import Arrival
from tests.bench.row import Broken, Measured, Row
from tests.bench.world import World

FAILING = 500


def measure(world: World, trials: int) -> Measured:
    """How long until the last failure is told, in seconds."""
    samples, first, seen = [], [], []
    for number in range(trials):
        start = number * FAILING % len(world.checks)
        checks = world.checks[start : start + FAILING]
        newest = world.number("SELECT coalesce(max(id), 0) FROM health_transition")
        before = world.set(checks, "critical")
        arrived = world.arrivals(checks)
        world.wait(lambda: not world.waiting())
        verify(world, checks, arrived + world.receiver.rest(), newest)
        samples.append(max(one.at for one in arrived) - before)
        first.append(round(min(one.at for one in arrived) - before, 3))
        seen.append(round(_seen_at(world) - before, 3))
        world.recover(checks)
    return Measured(samples, {"first_told_s": first, "last_seen_s": seen, "lost": 0, "doubled": 0})


def _seen_at(world: World) -> float:
    """When the watcher began to record the last of the failures, on the wall clock."""
    row = world.link.execute(
        "SELECT extract(epoch FROM max(at))::float8 FROM health_transition"
    ).fetchone()
    return float(row[0]) if row else 0.0


def verify(
    world: World,
    checks: Sequence[Check],
    arrived: Sequence[Arrival],
    newest: int,
    *,
    may_repeat: bool = False,
) -> int:
    """Everything is in the history once and was told once; returns how many came twice.

    After a crash a message may come twice, under the same key. Raises Broken.
    """
    history = world.number("SELECT count(*) FROM health_transition WHERE id > %s", newest)
    keys = Counter(one.key for one in arrived)
    once = {one.key: one for one in arrived}.values()
    told = Counter(check for one in once for check in one.checks)
    doubled = len(arrived) - len(keys)
    if history != len(checks):
        raise Broken(f"{len(checks)} checks failed, {history} are in the history")
    if told != Counter(checks):
        raise Broken(f"{len(checks)} checks failed, {len(told)} were told")
    if doubled and not may_repeat:
        raise Broken(f"{doubled} messages came twice")
    return doubled


ROW = Row(
    name="burst-500",
    what="500 of 5,000 checks fail at once → the last of 500 webhooks",
    unit="s",
    checks=5000,
    trials=10,
    measure=measure,
    worst=3,
    elsewhere="62 s, in two batches",
)

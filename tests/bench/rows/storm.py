"""Every check of a cluster fails at once: each one by itself, and grouped by service."""

from __future__ import annotations

from tests.bench.row import Measured, Row
from tests.bench.rows.burst import verify
from tests.bench.world import World


def alone(world: World, trials: int) -> Measured:
    """How long until the last message about the last failure has come, in seconds."""
    return _storms(world, trials)


def grouped(world: World, trials: int) -> Measured:
    """The same, when checks of one service share a message."""
    world.route(group_by=["service"])
    try:
        return _storms(world, trials)
    finally:
        world.route()


def _storms(world: World, trials: int) -> Measured:
    samples, set_s, messages = [], [], []
    for _ in range(trials):
        newest = world.number("SELECT coalesce(max(id), 0) FROM health_transition")
        before = world.set(world.checks, "critical")
        # Consul itself takes a while for so many transactions.
        set_s.append(round(world.clock() - before, 2))
        arrived = world.arrivals(world.checks)
        world.wait(lambda: not world.waiting())
        arrived += world.receiver.rest()
        verify(world, world.checks, arrived, newest)
        samples.append(max(one.at for one in arrived) - before)
        messages.append(len(arrived))
        world.recover(world.checks)
    return Measured(samples, {"consul_took_s": set_s, "messages": messages, "lost": 0})


ALONE = Row(
    name="storm-5000",
    what="all of 5,000 checks fail at once → the last of 5,000 webhooks",
    unit="s",
    checks=5000,
    trials=3,
    measure=alone,
    worst=15,
)
GROUPED = Row(
    name="storm-grouped",
    what="the same, grouped by service → the last webhook",
    unit="s",
    checks=5000,
    trials=3,
    measure=grouped,
    worst=3,
)

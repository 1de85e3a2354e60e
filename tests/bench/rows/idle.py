"""What the product costs while nothing happens."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

import psutil

from tests.bench.row import Measured, Row
from tests.bench.world import World

SETTLE_S = 15.0
WINDOW_S = 60.0
MIB = 1 << 20


def measure(world: World, trials: int) -> Measured:
    """CPU of all our processes without the database, in percent of a core."""
    time.sleep(SETTLE_S)
    windows = [window(world) for _ in range(trials)]
    ours = [sum(used.values()) - used["postgresql"] for used in windows]
    used = {name: statistics.median(one[name] for one in windows) for name in windows[0]}
    memory = memory_of(world)
    facts = {
        "cpu_percent": {name: round(value, 2) for name, value in used.items()},
        "cpu_with_postgresql_percent": round(sum(used.values()), 2),
        "memory_mib": memory,
    }
    return Measured(ours, facts)


def window(world: World) -> dict[str, float]:
    """Percent of a core by process over one window; what begins and ends in it counts too."""
    before, began = _cpu_s(world), time.monotonic()
    time.sleep(WINDOW_S)
    after, passed_s = _cpu_s(world), time.monotonic() - began
    return {name: (after[name] - before.get(name, 0.0)) / passed_s * 100 for name in after}


def _cpu_s(world: World) -> dict[str, float]:
    used: dict[str, float] = {}
    for name, processes in families(world).items():
        # A parent's times hold those of the children that have ended.
        used[name] = sum(sum(one.cpu_times()[:4]) for one in processes)
    return used


def families(world: World) -> dict[str, list[psutil.Process]]:
    """The product's processes: those that `up` keeps running with their children, and the rest."""
    product = world.product
    found = {}
    rest = {product.process.pid, *(one.pid for one in product.descendants())}
    for name in ("web", "watch", "ops"):
        main = product.main_process(name)
        children = _by_use(main.children(recursive=True))
        found[name] = [main]
        found |= {f"{name}/{place}": [one] for place, one in enumerate(children, start=1)}
        rest -= {main.pid, *(one.pid for one in children)}
    found["up"] = [psutil.Process(pid) for pid in sorted(rest)]
    found["postgresql"] = world.postgres()
    return found


def _by_use(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return sorted(processes, key=lambda one: one.pid)


def memory_of(world: World) -> dict[str, dict[str, int]]:
    """Resident and proportional memory by family."""
    found: dict[str, dict[str, int]] = {}
    for name, processes in families(world).items():
        full = [one.memory_full_info() for one in processes]
        part = found.setdefault(name.partition("/")[0], {"rss": 0, "pss": 0, "processes": 0})
        part["rss"] += round(sum(one.rss for one in full) / MIB)
        part["pss"] += round(sum(one.pss for one in full) / MIB)
        part["processes"] += len(full)
    return found


ROW = Row(
    name="idle-5000",
    what="idle, 5,000 checks: CPU of all processes",
    unit="% of a core",
    checks=5000,
    trials=3,
    measure=measure,
    worst=3,
    elsewhere="0.02 %",
)

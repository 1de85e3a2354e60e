"""The memory of the process that runs the loops, and what else is worth knowing of it."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from tests.bench.row import Measured
from tests.bench.rows.idle import MIB, memory_of
from tests.bench.world import World

PAUSE_S = 2.0
_HOLDER = "SELECT pid FROM loops_supervisor ORDER BY loops DESC LIMIT 1"
_LOOPS = "SELECT loops FROM loops_supervisor ORDER BY loops DESC LIMIT 1"


def memory(world: World, trials: int) -> Measured:
    """Resident MiB of the one worker process that holds the leases, all its pages counted."""
    worker = psutil.Process(world.number(_HOLDER))
    samples = []
    for _ in range(trials):
        time.sleep(PAUSE_S)
        samples.append(worker.memory_info().rss / MIB)
    facts = {
        "worker_pss_mib": round(worker.memory_full_info().pss / MIB),
        "worker_peak_mib": round(_peak(worker.pid)),
        "worker_loops": world.number(_LOOPS),
        "worker_threads": worker.num_threads(),
        "caught_up_s": round(world.caught_up_s, 1),
        "memory_mib": memory_of(world),
    }
    return Measured(samples, facts)


def _peak(pid: int) -> float:
    """The most that the process ever held, in MiB; the kernel keeps the mark."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    mark = next(line for line in lines if line.startswith("VmHWM:"))
    return int(mark.split()[1]) / 1024

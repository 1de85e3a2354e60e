"""The doors through which django-q2 enters."""

from __future__ import annotations

import asyncio
import gc

from consulops.loops import lifeline, receivers, services
from consulops.loops.supervisor import Supervisor


def supervise() -> str:
    """Runs a supervisor to the end of its time, and leaves a task for its successor."""
    if services.is_surplus():
        return "surplus"
    # What is there now is there to stay: to look through all of it for garbage, again and again,
    # would hold every loop up for a tenth of a second.
    gc.collect()
    gc.freeze()
    asyncio.run(Supervisor(is_heir=True).run())
    receivers.patiently(services.seed)
    return "stopped" if lifeline.is_cut() else "handed over"


def look_after() -> None:
    """Runs every minute."""
    services.look_after()

"""The doors through which django-q2 enters."""

from __future__ import annotations

import asyncio

from consulops.loops import lifeline, receivers, services
from consulops.loops.supervisor import Supervisor


def supervise() -> str:
    """Runs a supervisor to the end of its time, and leaves a task for its successor."""
    if services.is_surplus():
        return "surplus"
    asyncio.run(Supervisor(is_heir=True).run())
    receivers.patiently(services.seed)
    return "stopped" if lifeline.is_cut() else "handed over"


def look_after() -> None:
    """Runs every minute."""
    services.look_after()

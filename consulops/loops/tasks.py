"""The doors through which django-q2 enters."""

from __future__ import annotations

import asyncio

from consulops.loops.supervisor import Supervisor


def supervise() -> None:
    """Runs a supervisor to its end."""
    asyncio.run(Supervisor().run())

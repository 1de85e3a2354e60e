"""The doors through which django-q2 enters."""

from __future__ import annotations

from consulops.watchdog import emergency


def look() -> str:
    """Every minute: when no supervisor lives, says so and delivers it."""
    return emergency.look()

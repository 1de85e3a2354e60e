"""The one table of states: what each is called, how it looks, and which comes first."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models


class Status(models.TextChoices):
    """State of a check, and of everything whose state is derived from checks."""

    CRITICAL = "critical", "Critical"
    UNKNOWN = "unknown", "Unknown"
    WARNING = "warning", "Warning"
    MAINTENANCE = "maintenance", "Maintenance"
    PASSING = "passing", "Passing"
    NONE = "none", "No checks"
    GONE = "gone", "Gone"


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: icon of the sprite, colours in light and dark, rank (worst is 0)."""

    icon: str
    light: str
    dark: str
    rank: int


LOOKS: dict[Status, Look] = {
    Status.CRITICAL: Look("circle-x", "#c92a2a", "#ff8787", 0),
    Status.UNKNOWN: Look("help-circle", "#5c5f66", "#a6a7ab", 1),
    Status.WARNING: Look("alert-triangle", "#b35c00", "#ffc078", 2),
    Status.MAINTENANCE: Look("tool", "#1864ab", "#74c0fc", 3),
    Status.PASSING: Look("circle-check", "#2b8a3e", "#8ce99a", 4),
    Status.NONE: Look("", "#5c5f66", "#a6a7ab", 5),
    Status.GONE: Look("circle-minus", "#5c5f66", "#a6a7ab", 6),
}

FAILING = (Status.CRITICAL, Status.WARNING)


def parse(value: str) -> Status:
    """The state with this value; anything that we do not know is UNKNOWN, never green."""
    try:
        return Status(value)
    except ValueError:
        return Status.UNKNOWN


def worst(values: list[str]) -> Status:
    """The state that speaks for all of these; without any it is NONE."""
    states = [state for value in values if (state := parse(value)) is not Status.GONE]
    return min(states, key=lambda state: LOOKS[state].rank, default=Status.NONE)


def by_rank() -> list[Status]:
    """All states, worst first."""
    return sorted(Status, key=lambda state: LOOKS[state].rank)

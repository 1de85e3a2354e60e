"""The 24-hour bar: one block an hour, coloured by the worst state of that hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from consulops.core.status import Status


@dataclass(frozen=True, slots=True)
class BarHour:
    """One block: when its hour began, its worst state, and the words that tell it without colour.

    `text` ("critical 6 min") follows the hours in the title.
    """

    start: datetime
    status: Status
    text: str

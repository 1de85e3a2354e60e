"""Time by the hour: what the 24-hour bars are made of. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from consulops.core.bars import BarHour
from consulops.core.status import LOOKS, Status, parse
from consulops.core.times import in_words

HOUR = timedelta(hours=1)
# The states whose time is kept; what is not in them was passing, or gone.
COUNTED = (Status.CRITICAL, Status.WARNING, Status.MAINTENANCE, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one hour that was spent in one state."""

    hour: datetime
    status: str
    seconds: float


def floor(when: datetime) -> datetime:
    """The beginning of the hour."""
    return when.replace(minute=0, second=0, microsecond=0)


def split(status: str, begin: datetime, end: datetime) -> list[Share]:
    """The time from `begin` to `end` in one state, by the hour; nothing for uncounted states."""
    if status not in COUNTED:
        return []
    shares = []
    while begin < end:
        following = min(floor(begin) + HOUR, end)
        shares.append(Share(floor(begin), status, (following - begin).total_seconds()))
        begin = following
    return shares


def bar(shares: Iterable[Share], seen_since: datetime, now: datetime) -> list[BarHour]:
    """The last 24 hours, oldest first; hours before the check was first seen have no state."""
    by_hour: defaultdict[datetime, defaultdict[str, float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for share in shares:
        by_hour[share.hour][share.status] += share.seconds
    this_hour = floor(now)
    return [
        _block(hour, by_hour[hour], seen_since)
        for hour in (this_hour - HOUR * back for back in range(23, -1, -1))
    ]


def _block(hour: datetime, seconds: dict[str, float], seen_since: datetime) -> BarHour:
    if not seconds:
        if hour + HOUR <= seen_since:
            return BarHour(hour, Status.NONE, "not known")
        return BarHour(hour, Status.PASSING, "passing")
    states = sorted((parse(status) for status in seconds), key=lambda one: LOOKS[one].rank)
    parts = [f"{state.value} {in_words(seconds[state])}" for state in states]
    return BarHour(hour, states[0], ", ".join(parts))

"""Time by the hour: what the 24-hour bars are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

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
    hour = floor(begin)
    while begin < end:
        following = min(hour + HOUR, end)
        shares.append(Share(hour, status, (following - begin).total_seconds()))
        begin = hour = following
    return shares


def bar(shares: Iterable[Share], seen_since: datetime, now: datetime) -> list[BarHour]:
    """The last 24 hours, oldest first; hours before the check was first seen have no state.

    Of several checks together an hour may have more than its own seconds: no more are told.
    """
    by_hour: dict[datetime, dict[str, float]] = {}
    for share in shares:
        seconds = by_hour.setdefault(share.hour, {})
        seconds[share.status] = seconds.get(share.status, 0.0) + share.seconds
    return [
        _block(hour, tuple(by_hour[hour].items()))
        if hour in by_hour
        else _calm(hour, hour + HOUR > seen_since)
        for hour in _day(floor(now))
    ]


@lru_cache(maxsize=2)
def _day(this_hour: datetime) -> tuple[datetime, ...]:
    return tuple(this_hour - HOUR * back for back in range(23, -1, -1))


# A page has thousands of blocks, of which nearly all are alike.
@lru_cache(maxsize=96)
def _calm(hour: datetime, is_known: bool) -> BarHour:
    if is_known:
        return BarHour(hour, Status.PASSING, "passing")
    return BarHour(hour, Status.NONE, "not known")


@lru_cache(maxsize=2048)
def _block(hour: datetime, seconds: tuple[tuple[str, float], ...]) -> BarHour:
    states = sorted(
        ((parse(status), spent) for status, spent in seconds), key=lambda one: LOOKS[one[0]].rank
    )
    parts = [
        f"{state.value} {in_words(min(spent, HOUR.total_seconds()))}" for state, spent in states
    ]
    return BarHour(hour, states[0][0], ", ".join(parts))

"""Times of the week in the zone of those who live by them, also while clocks change. Pure.

A window begins when its zone's clock first reaches `begin`, and ends when it passes `end` for good:
a time that the clock skips is the moment of the skip, and one that it shows twice begins at the
first and ends at the second.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST = 50
# A weekly window that falls into a skipped hour does not take place: the next one is a week later.
_AHEAD_DAYS = 15
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SETTINGS = ("days", "begin", "end", "timezone")
_DASH = "\N{EN DASH}"

Span = tuple[datetime, datetime]


class BadWindow(Exception):
    """A window that cannot work; `path` says which part ("[0].timezone"), `text` why."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}" if path else text)
        self.path, self.text = path, text


@dataclass(frozen=True, slots=True)
class Window:
    """Some days of the week, from a time to another; an end at or before begin is on the next day.

    The days are those on which it begins. An end equal to the begin means 24 hours.
    """

    days: tuple[str, ...]
    begin: str
    end: str
    timezone: str = "UTC"

    def __str__(self) -> str:
        hours = "all day" if self.begin == self.end == "00:00" else f"{self.begin}{_DASH}{self.end}"
        return f"{_days_in_words(self.days)} {hours} ({self.timezone})"


def parse(value: object) -> tuple[Window, ...]:
    """The windows of a stored or written list. Raises BadWindow."""
    if not isinstance(value, list):
        raise BadWindow("", "a list of windows is expected")
    if len(value) > MOST:
        raise BadWindow("", f"there are more than {MOST}")
    return tuple(_window(f"[{position}]", one) for position, one in enumerate(value))


def stored(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """The windows as `parse` takes them and as they are kept."""
    return [{**asdict(one), "days": list(one.days)} for one in windows]


def ends_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Inside any window: when they all will be over, at most about two weeks ahead; outside: None.

    Windows that overlap or touch count as one.
    """
    end = None
    for start, stop in _spans(windows, now):
        if start <= (end or now) < stop:
            end = stop
    return end


def begins_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Outside all windows: when the next one begins; inside, or without any: None."""
    spans = _spans(windows, now)
    if any(start <= now < stop for start, stop in spans):
        return None
    return min((start for start, _ in spans if start > now), default=None)


def _spans(windows: Sequence[Window], now: datetime) -> list[Span]:
    """The spans of all windows from yesterday on, in their order."""
    spans: list[Span] = []
    for window in windows:
        zone = ZoneInfo(window.timezone)
        # The day before yesterday's can still last, where days have 25 hours.
        first = now.astimezone(zone).date() - timedelta(days=2)
        for number in range(_AHEAD_DAYS + 2):
            day = first + timedelta(days=number)
            if DAYS[day.weekday()] in window.days:
                spans.append(_span(window, day, zone))
    return sorted(span for span in spans if span[0] < span[1])


def _span(window: Window, day: date, zone: ZoneInfo) -> Span:
    begin, end = time.fromisoformat(window.begin), time.fromisoformat(window.end)
    last = day + timedelta(days=1) if end <= begin else day
    return (
        _moment(datetime.combine(day, begin), zone, fold=0),
        _moment(datetime.combine(last, end), zone, fold=1),
    )


def _moment(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """When the zone's clock shows this: the first (fold 0) or the second time, or the skip."""
    early, late = (_utc(wall, zone, one) for one in (0, 1))
    if early <= late:
        return late if fold else early
    # Skipped: early and late are swapped, and the clock was changed between them.
    early, late = late, early
    before = early.astimezone(zone).utcoffset()
    seconds = range(int((late - early).total_seconds()) + 1)
    skip = bisect_left(
        seconds,
        True,
        key=lambda s: (early + timedelta(seconds=s)).astimezone(zone).utcoffset() != before,
    )
    return early + timedelta(seconds=skip)


def _utc(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _window(path: str, value: object) -> Window:
    if not isinstance(value, Mapping):
        raise BadWindow(path, "days, begin, end and timezone are expected")
    for name in value:
        if name not in _SETTINGS:
            raise BadWindow(f"{path}.{name}", f"there are only {', '.join(_SETTINGS)}")
    return Window(
        _days(f"{path}.days", value.get("days")),
        _time(f"{path}.begin", value.get("begin")),
        _time(f"{path}.end", value.get("end")),
        _timezone(f"{path}.timezone", value.get("timezone", "UTC")),
    )


def _days(path: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise BadWindow(path, f"a list of at least one of {', '.join(DAYS)} is expected")
    for position, day in enumerate(value):
        if day not in DAYS:
            raise BadWindow(f"{path}[{position}]", f"{day!r} is none of {', '.join(DAYS)}")
    return tuple(day for day in DAYS if day in value)


def _time(path: str, value: object) -> str:
    if isinstance(value, int):
        # YAML reads 22:00 as a number of minutes.
        raise BadWindow(path, 'put it in quotes: "22:00"')
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise BadWindow(path, "a time of the day is expected, such as 22:00")
    return value


def _timezone(path: str, value: object) -> str:
    if not isinstance(value, str) or value not in timezones():
        raise BadWindow(path, f'{value!r} is no time zone such as "UTC" or "Europe/Berlin"')
    return value


@lru_cache(maxsize=1)
def timezones() -> frozenset[str]:
    """The names of all time zones that this machine knows."""
    return frozenset(available_timezones())


def _days_in_words(days: Sequence[str]) -> str:
    if len(days) == len(DAYS):
        return "every day"
    return ", ".join(_runs([DAYS.index(day) for day in days]))


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    """Days that follow each other, from three on, as one range."""
    run: list[int] = []
    for number in [*numbers, -1]:
        if run and number != run[-1] + 1:
            names = [DAYS[one].capitalize() for one in run]
            yield from [f"{names[0]}{_DASH}{names[-1]}"] if len(run) > 2 else names
            run = []
        run.append(number)

"""Windows of the week agree with a clock that is read minute by minute, also when it is changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consulops.core.windows import (
    DAYS,
    BadWindow,
    Window,
    begins_at,
    ends_at,
    parse,
    stored,
)

MINUTE = timedelta(minutes=1)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
# Around each of these a clock is changed, in the last one by half an hour.
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
]
ZONES = [BERLIN, NEW_YORK, "UTC", "Asia/Kolkata", "Australia/Lord_Howe"]


def at(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def window(days: str, begin: str, end: str, zone: str = BERLIN) -> Window:
    return Window(tuple(days.split()), begin, end, zone)


def walked(one: Window, first: datetime, minutes: int) -> set[int]:
    """The minutes that one window holds, found by reading its zone's clock at each of them."""
    zone = ZoneInfo(one.timezone)
    clock = [
        (first + number * MINUTE).astimezone(zone).replace(tzinfo=None) for number in range(minutes)
    ]
    held: set[int] = set()
    day = clock[0].date()
    while day <= clock[-1].date():
        if DAYS[day.weekday()] in one.days:
            begin = datetime.fromisoformat(f"{day}T{one.begin}")
            end = datetime.fromisoformat(f"{day}T{one.end}")
            if end <= begin:
                end += timedelta(days=1)
            reached = next((n for n, shown in enumerate(clock) if shown >= begin), minutes)
            passed = max((n for n, shown in enumerate(clock) if shown < end), default=-1)
            held |= set(range(reached, passed + 1))
        day += timedelta(days=1)
    return held


times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
some_days = st.sets(st.sampled_from(DAYS), min_size=1).map(
    lambda chosen: tuple(day for day in DAYS if day in chosen)
)
some_windows = st.lists(
    st.builds(Window, some_days, times, times, st.sampled_from(ZONES)), min_size=1, max_size=3
)


@settings(max_examples=40, deadline=None)
@given(
    windows=some_windows,
    change=st.sampled_from(CHANGES),
    moments=st.lists(st.integers(-36 * 60, 36 * 60), min_size=1, max_size=8),
)
def test_the_same_as_reading_the_clock(
    windows: list[Window], change: datetime, moments: list[int]
) -> None:
    # Days before, so that a window of yesterday is walked from its begin.
    first, before = change - timedelta(days=4), 4 * 1440
    length = 11 * 1440
    held: set[int] = set()
    for one in windows:
        held |= walked(one, first, length)
    for moment in moments:
        here = before + moment
        now = first + here * MINUTE
        following = range(here, length - 2 * 1440)
        if here in held:
            end = next((n for n in following if n not in held), None)
            found = ends_at(windows, now)
            assert begins_at(windows, now) is None
            assert found is not None
            if end is not None:
                assert found == first + end * MINUTE
        else:
            begin = next((n for n in following if n in held), None)
            assert ends_at(windows, now) is None
            if begin is not None:
                assert begins_at(windows, now) == first + begin * MINUTE


@pytest.mark.parametrize(
    ("one", "now", "end"),
    [
        # An hour more, an hour less.
        (window("sat", "22:00", "06:00"), at("2026-10-25T01:00"), at("2026-10-25T06:00")),
        (window("sat", "22:00", "06:00"), at("2026-03-29T01:00"), at("2026-03-29T06:00")),
        # Shown twice: until the second time. Skipped: until the skip.
        (window("sun", "01:00", "02:30"), at("2026-10-25T01:30"), at("2026-10-25T01:30", "UTC")),
        (window("sun", "01:00", "02:30"), at("2026-03-29T01:30"), at("2026-03-29T03:00")),
        # A whole day, of 25 hours.
        (window("sun", "00:00", "00:00"), at("2026-10-25T12:00"), at("2026-10-26T00:00")),
        # 24 hours from any time.
        (window("mon", "09:00", "09:00"), at("2026-11-24T08:59"), at("2026-11-24T09:00")),
    ],
)
def test_ends(one: Window, now: datetime, end: datetime) -> None:
    assert ends_at([one], now) == end


def test_what_a_skipped_hour_swallows_comes_a_week_later() -> None:
    swallowed = window("sun", "02:10", "02:50")
    assert begins_at([swallowed], at("2026-03-28T12:00")) == at("2026-04-05T02:10")


def test_windows_that_touch_are_one() -> None:
    row = [window("mon", "08:00", "12:00"), window("mon", "12:00", "14:00", BERLIN)]
    # Noon in Berlin is six in the morning in New York.
    row.append(window("mon", "07:30", "09:00", NEW_YORK))
    assert ends_at(row, at("2026-11-23T09:00")) == at("2026-11-23T15:00")


def test_what_never_ends_has_an_end_that_is_far() -> None:
    now = at("2026-11-23T09:00")
    end = ends_at([window(" ".join(DAYS), "00:00", "00:00")], now)
    assert end is not None
    assert end - now > timedelta(days=13)


def test_no_windows() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert (ends_at([], now), begins_at([], now)) == (None, None)


GOOD = {"days": ["tue", "mon", "mon"], "begin": "22:00", "end": "02:00", "timezone": BERLIN}


def test_what_is_read_is_what_is_kept() -> None:
    windows = parse([GOOD, {"days": ["sun"], "begin": "00:00", "end": "00:00"}])
    assert windows == (window("mon tue", "22:00", "02:00"), window("sun", "00:00", "00:00", "UTC"))
    assert parse(stored(windows)) == windows


def mistakes() -> Iterator[tuple[object, str]]:
    yield "mon", "a list of windows is expected"
    yield [GOOD] * 51, "there are more than 50"
    yield [GOOD, "mon"], "[1]: days, begin, end and timezone are expected"
    yield [{**GOOD, "tz": "UTC"}], "[0].tz: there are only days, begin, end, timezone"
    no_days: list[object] = [None, [], "mon", {}]
    for days in no_days:
        yield [{**GOOD, "days": days}], "[0].days: a list of at least one of mon, tue, wed"
    yield [{**GOOD, "days": ["mon", "Monday"]}], "[0].days[1]: 'Monday' is none of mon, tue"
    yield [{**GOOD, "days": [["mon"]]}], "[0].days[0]: ['mon'] is none of mon, tue"
    for text in (
        None,
        "",
        "24:00",
        "8:00",
        "22:60",
        "22:00:00",
        "\N{ARABIC-INDIC DIGIT ONE}2:00",
    ):
        yield [{**GOOD, "begin": text}], "[0].begin: a time of the day is expected, such as 22:00"
        yield [{**GOOD, "end": text}], "[0].end: a time of the day is expected, such as 22:00"
    for zone in (None, "", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "a\0b"):
        yield [{**GOOD, "timezone": zone}], f"[0].timezone: {zone!r} is no time zone such as"


@pytest.mark.parametrize(("value", "problem"), list(mistakes()))
def test_a_mistake_has_its_place(value: object, problem: str) -> None:
    with pytest.raises(BadWindow) as raised:
        parse(value)
    assert str(raised.value).startswith(problem)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (window("mon tue wed thu fri", "22:00", "02:00"), "Mon–Fri 22:00–02:00 (Europe/Berlin)"),  # noqa: RUF001 - as people see it
        (window("mon tue thu", "22:00", "22:00"), "Mon, Tue, Thu 22:00–22:00 (Europe/Berlin)"),  # noqa: RUF001 - as people see it
        (window(" ".join(DAYS), "00:00", "06:30", "UTC"), "every day 00:00–06:30 (UTC)"),  # noqa: RUF001 - as people see it
        (window("sat sun", "00:00", "00:00", "UTC"), "Sat, Sun all day (UTC)"),
    ],
)
def test_words(one: Window, words: str) -> None:
    assert str(one) == words

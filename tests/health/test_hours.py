"""Time by the hour, and the bar made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from consulops.core.status import Status
from consulops.health.hours import HOUR, Share, bar, split

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_time_is_split_at_full_hours() -> None:
    shares = split("critical", NOON - timedelta(minutes=10), NOON + timedelta(minutes=5))
    assert shares == [Share(NOON - HOUR, "critical", 600.0), Share(NOON, "critical", 300.0)]


def test_passing_takes_no_room() -> None:
    assert split("passing", NOON, NOON + HOUR) == split("gone", NOON, NOON + HOUR) == []


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_second_is_lost(start: int, length: int) -> None:
    begin = NOON + timedelta(seconds=start)
    shares = split("warning", begin, begin + timedelta(seconds=length))
    assert sum(share.seconds for share in shares) == length
    assert all(0 < share.seconds <= 3600 for share in shares)
    assert len({share.hour for share in shares}) == len(shares)


def test_the_bar_shows_the_worst_of_each_hour_in_words() -> None:
    shares = [
        Share(NOON - HOUR, "warning", 1800.0),
        Share(NOON - HOUR, "critical", 120.0),
        Share(NOON - HOUR, "critical", 60.0),
    ]
    blocks = bar(shares, NOON - 5 * HOUR, NOON + timedelta(minutes=30))
    assert len(blocks) == 24
    assert blocks[-1].start == NOON
    assert (blocks[-2].status, blocks[-2].text) == (
        Status.CRITICAL,
        "critical 3 min, warning 30 min",
    )
    assert blocks[-1].status is Status.PASSING


def test_before_the_check_was_seen_nothing_is_green() -> None:
    blocks = bar([], NOON - timedelta(minutes=90), NOON)
    assert [block.status for block in blocks[-4:]] == [
        Status.NONE,
        Status.PASSING,
        Status.PASSING,
        Status.PASSING,
    ]
    assert {block.status for block in blocks[:-3]} == {Status.NONE}


def test_of_several_checks_together_an_hour_tells_no_more_than_itself() -> None:
    blocks = bar([Share(NOON, "critical", 3000.0)] * 2, NOON - HOUR * 30, NOON)
    assert blocks[-1].text == "critical 1 h"

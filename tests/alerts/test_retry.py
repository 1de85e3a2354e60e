"""When a failed delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consulops.alerts.retry import GIVE_UP_AFTER, LONGEST_S, next_attempt
from consulops.notifiers.base import SendError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (5, 16), (30, LONGEST_S)])
def test_delays_double_up_to_five_minutes(attempts: int, seconds: float) -> None:
    again = next_attempt(SendError("down"), NOW, attempts, NOW, spread=1.0)
    assert again == NOW + timedelta(seconds=seconds)


@given(st.integers(1, 1000), st.floats(0, 1))
def test_spread_decides_the_second_half_of_a_delay(attempts: int, spread: float) -> None:
    least = next_attempt(SendError("down"), NOW, attempts, NOW, spread=0.0)
    again = next_attempt(SendError("down"), NOW, attempts, NOW, spread=spread)
    assert least is not None and again is not None
    assert least <= again <= NOW + 2 * (least - NOW)


def test_the_receiver_may_ask_for_more_time() -> None:
    asked = SendError("busy", retry_after_s=90)
    assert next_attempt(asked, NOW, 1, NOW, spread=1.0) == NOW + timedelta(seconds=90)


def test_a_permanent_error_is_final() -> None:
    assert next_attempt(SendError("no such hook", permanent=True), NOW, 1, NOW) is None


def test_after_a_day_it_is_old_news() -> None:
    late = NOW + GIVE_UP_AFTER
    assert next_attempt(SendError("down"), NOW, 300, late) is None
    assert next_attempt(SendError("down"), NOW, 300, late - timedelta(hours=1)) is not None

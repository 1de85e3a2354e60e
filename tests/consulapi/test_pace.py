"""Back-off and token bucket, with a clock and a die of our own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consulops.consulapi import Backoff, TokenBucket


def test_the_delay_doubles_up_to_the_cap_and_begins_again_after_a_success() -> None:
    backoff = Backoff(base_s=0.1, cap_s=1.0, random=lambda: 1.0)
    assert [round(backoff.next_s(), 1) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert round(backoff.next_s(), 1) == 0.1


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=80))
def test_the_jitter_is_full_and_the_cap_holds_for_ever(dice: list[float]) -> None:
    rolls = iter(dice)
    backoff = Backoff(random=lambda: next(rolls))
    for number, roll in enumerate(dice):
        assert backoff.next_s() == roll * min(5.0, 0.1 * 2.0 ** min(number, 32))


def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    now = 100.0
    bucket = TokenBucket(rate=10, burst=3, clock=lambda: now)
    assert [round(bucket.delay_s(), 2) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    now += 10
    assert [round(bucket.delay_s(), 2) for _ in range(4)] == [0, 0, 0, 0.1]


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=200))
def test_never_more_than_burst_plus_rate(gaps: list[float]) -> None:
    now = 0.0
    bucket = TokenBucket(rate=20, burst=40, clock=lambda: now)
    for count, gap in enumerate(gaps, start=1):
        now += bucket.delay_s()
        assert count <= 40 + 20 * now + 1e-6
        now += gap


def test_a_clock_that_goes_back_costs_nothing() -> None:
    now = 100.0
    bucket = TokenBucket(rate=1, burst=2, clock=lambda: now)
    bucket.delay_s()
    now = 50.0
    assert bucket.delay_s() == 0

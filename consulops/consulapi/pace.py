"""How fast to ask again: a back-off with full jitter, and a token bucket for busy watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import SystemRandom

_random = SystemRandom().random


class Backoff:
    """Delays that grow from one failure to the next, with full jitter so that clients spread.

    Of at most five seconds, so that a Consul that was away for long is found soon after it is back.
    """

    def __init__(
        self,
        base_s: float = 0.1,
        cap_s: float = 5.0,
        random: Callable[[], float] = _random,
    ) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self._failures = 0

    def next_s(self) -> float:
        """The delay before the next try: anything up to base · 2^failures, at most the cap."""
        # Bounded, so that a week of failures does not overflow.
        bound = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return bound * self._random()

    def reset(self) -> None:
        """A success: the next failure begins again at the base."""
        self._failures = 0


class TokenBucket:
    """Lets bursts through and holds the average: rate per second, burst at once."""

    def __init__(
        self,
        rate: float = 20.0,
        burst: int = 40,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def delay_s(self) -> float:
        """Takes a token and says how long to wait before using it; tokens may be borrowed."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._tokens / self._rate)

    async def take(self) -> None:
        """Waits until the rate allows one more."""
        delay_s = self.delay_s()
        if delay_s > 0:
            await asyncio.sleep(delay_s)

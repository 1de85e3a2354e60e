"""When to try a delivery again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import SystemRandom

from consulops.notifiers.base import SendError

FIRST_S, LONGEST_S = 1.0, 300.0
# A message that could not be delivered for a day is old news.
GIVE_UP_AFTER = timedelta(hours=24)

_random = SystemRandom()


def next_attempt(
    error: SendError, created_at: datetime, attempts: int, now: datetime, spread: float = -1.0
) -> datetime | None:
    """When to try again after this many attempts; None when there is no point in it.

    The delay doubles from a second to five minutes, of which `spread` (0 to 1, random unless
    given) decides the second half, so that many deliveries do not come back at once. A receiver's
    own Retry-After is the least.
    """
    if error.permanent:
        return None
    share = _random.random() if spread < 0 else spread
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(attempts - 1, 16))
    delay_s = max(longest * (1 + share) / 2, error.retry_after_s or 0.0)
    again = now + timedelta(seconds=delay_s)
    return again if again <= created_at + GIVE_UP_AFTER else None

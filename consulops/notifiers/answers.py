"""What an HTTP answer means for a message: delivered, try again, or never will be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from consulops.notifiers.base import SendError

EXCERPT = 300
# A receiver that asks for more is not believed.
LONGEST_WAIT_S = 24 * 3600.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\s]+")
# The receiver says itself that a later try may do: RFC 9110 and, for 429 and 425, 6585 and 8470.
_TEMPORARY = frozenset({408, 425, 429})


def classify(
    status_code: int, headers: Mapping[str, str], body: str, now: datetime | None = None
) -> SendError | None:
    """What went wrong, or None for any 2xx.

    `headers` is asked for `Retry-After` by that spelling; `now` is for its HTTP dates.
    """
    if 200 <= status_code < 300:
        return None
    text = describe(status_code, body)
    if 300 <= status_code < 400:
        return SendError(
            f"HTTP {status_code}: redirects are not followed: use the final address.",
            permanent=True,
        )
    if status_code in _TEMPORARY or status_code >= 500:
        wait_s = retry_after(headers.get("Retry-After", ""), now or datetime.now(UTC))
        if wait_s is None:
            wait_s = retry_after_in(body)
        return SendError(text, retry_after_s=wait_s)
    return SendError(text, permanent=True)


def describe(status_code: int, body: str) -> str:
    """The answer in one line: `HTTP 404 Not Found: no_service`."""
    try:
        phrase = f" {HTTPStatus(status_code).phrase}"
    except ValueError:
        phrase = ""
    text = excerpt(body)
    return f"HTTP {status_code}{phrase}" + (f": {text}" if text else "")


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header, which has seconds or a date; else None."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_WAIT_S)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - now).total_seconds()), LONGEST_WAIT_S)


def retry_after_in(body: str) -> float | None:
    """Seconds to wait from a JSON answer, as chats give them: Discord on top, Telegram inside."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    for place in (found, found.get("parameters") if isinstance(found, dict) else None):
        value = place.get("retry_after") if isinstance(place, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return min(float(value), LONGEST_WAIT_S)
    return None


def excerpt(text: str, length: int = EXCERPT) -> str:
    """The text on one line without control characters, cut with an ellipsis."""
    # Whatever lies far behind the cut is not worth a look: a body may be large.
    line = _CONTROL.sub(" ", text[: length * 4]).strip()
    return line if len(line) <= length else line[: length - 1] + "…"

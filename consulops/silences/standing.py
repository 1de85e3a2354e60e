"""The silences that hold at a moment, ready to be tried on alerts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from consulops.core import windows
from consulops.health.matching import Match, compile_match
from consulops.silences.models import Silence

_COMMENT_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Standing:
    """One silence that holds now: what it means, until when, and its words for people."""

    pk: int
    match: Match
    # The end of the silence or of its present window; None: nobody has set one.
    until: datetime | None
    text: str


def standing(now: datetime) -> list[Standing]:
    """All that hold at this moment, oldest first; one query."""
    return holding(Silence.objects.active(now).order_by("pk"), now)


def holding(silences: Iterable[Silence], now: datetime) -> list[Standing]:
    """Those of these that hold at this moment."""
    found = (_standing(silence, now) for silence in silences)
    return [one for one in found if one is not None]


def _standing(silence: Silence, now: datetime) -> Standing | None:
    until = silence.ends_at
    if silence.starts_at > now or (until is not None and until <= now):
        return None
    if silence.windows:
        window_end = windows.ends_at(windows.parse(silence.windows), now)
        if window_end is None:
            return None
        until = min(until, window_end) if until else window_end
    return Standing(silence.pk, compile_match(silence.match), until, _text(silence))


def _text(silence: Silence) -> str:
    comment = " ".join(silence.comment.split())
    if len(comment) > _COMMENT_SHOWN:
        comment = comment[: _COMMENT_SHOWN - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    return f"{silence} by {silence.author_name}: {comment}"

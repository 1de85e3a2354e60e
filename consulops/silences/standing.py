"""The silences that hold at a moment, ready to be tried on alerts."""

from __future__ import annotations

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
    found = []
    for silence in Silence.objects.active(now).order_by("pk"):
        until = silence.ends_at
        if silence.windows:
            window_end = windows.ends_at(windows.parse(silence.windows), now)
            if window_end is None:
                continue
            until = min(until, window_end) if until else window_end
        found.append(Standing(silence.pk, compile_match(silence.match), until, _text(silence)))
    return found


def _text(silence: Silence) -> str:
    comment = " ".join(silence.comment.split())
    if len(comment) > _COMMENT_SHOWN:
        comment = comment[: _COMMENT_SHOWN - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    return f"{silence} by {silence.author_name}: {comment}"

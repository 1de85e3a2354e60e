"""Silences in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import re2

from consulops.core import windows
from consulops.health.matching import METAS, PATTERNS
from consulops.silences.models import Silence

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")


class Phase(StrEnum):
    """Where a silence is in its time."""

    HOLDS = "holds"
    BETWEEN = "between"
    UPCOMING = "upcoming"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Term:
    """One matcher: what it looks at, and the one text or the expression that must be there."""

    name: str
    value: str
    is_exact: bool


def terms(match: Mapping[str, Any]) -> Iterator[Term]:
    """The matchers of a silence, each in a form for people."""
    if statuses := match.get("status"):
        yield Term("status", " or ".join(statuses), is_exact=True)
    for name in PATTERNS:
        if name in match:
            yield _term(name.replace("_", " "), match[name])
    for name in METAS:
        for key, pattern in match.get(name, {}).items():
            yield _term(f"{name.replace('_', ' ')} {key}", pattern)


def _term(name: str, pattern: str) -> Term:
    text = literal(pattern)
    return Term(name, pattern if text is None else text, is_exact=text is not None)


def literal(pattern: str) -> str | None:
    """The only text that an expression means; None for one that may mean several."""
    text = _ESCAPED.sub(r"\1", pattern)
    if pattern == re2.escape(text):
        return text
    return None if _SPECIAL.search(pattern) else pattern


def exact(**names: str) -> dict[str, str]:
    """Matchers that mean these names and no others; empty ones are left out."""
    return {name: re2.escape(text) for name, text in names.items() if text}


def phase(silence: Silence, now: datetime) -> Phase:
    """Whether a silence holds, waits for its next window, has not begun, or is over."""
    if silence.ends_at is not None and silence.ends_at <= now:
        return Phase.EXPIRED
    if silence.starts_at > now:
        return Phase.UPCOMING
    if silence.windows and windows.ends_at(windows.parse(silence.windows), now) is None:
        return Phase.BETWEEN
    return Phase.HOLDS


def next_begin(silence: Silence, now: datetime) -> datetime | None:
    """When a recurring silence will hold next; None while it holds, and when it will no more."""
    times = windows.parse(silence.windows)
    start = max(silence.starts_at, now)
    begin = start if windows.ends_at(times, start) else windows.begins_at(times, start)
    if begin is None or begin <= now or (silence.ends_at and begin >= silence.ends_at):
        return None
    return begin


def in_words(silence: Silence) -> Sequence[str]:
    """The windows of a recurring silence, one line each."""
    return [str(one) for one in windows.parse(silence.windows)]

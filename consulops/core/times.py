"""Time spans in words."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def in_words(seconds: float) -> str:
    """A span in its two largest units: "40 s", "3 min", "2 h 5 min", "3 d 4 h". Takes seconds."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")

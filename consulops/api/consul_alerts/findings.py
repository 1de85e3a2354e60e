"""What the import has to say about a key: that it is lost, that it means something else, a note."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How much a finding matters to whoever moves over."""

    LOST = "not carried over"
    CHANGED = "means something else"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one key of consul-alerts' configuration."""

    key: str
    weight: Weight
    text: str

    def __str__(self) -> str:
        return f"{self.weight}: {self.key}: {self.text}"

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def lost(key: str, text: str) -> Finding:
    """It has no place here."""
    return Finding(key, Weight.LOST, text)


def changed(key: str, text: str) -> Finding:
    """It has a place here, but not quite the same meaning."""
    return Finding(key, Weight.CHANGED, text)


def note(key: str, text: str) -> Finding:
    """It is carried over, and there is something to know about it."""
    return Finding(key, Weight.NOTE, text)

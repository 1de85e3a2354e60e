"""Tells open pages that something has changed."""

from __future__ import annotations

from consulops.core import postgres
from consulops.live.topics import TOPICS


def publish(*topics: str) -> None:
    """Rings these topics when the current transaction commits; it carries no data."""
    for topic in topics:
        if topic not in TOPICS:
            raise ValueError(f"no such topic: {topic}")
        postgres.notify(postgres.LIVE, topic)

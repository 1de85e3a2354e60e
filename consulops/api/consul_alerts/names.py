"""Names of what the import makes: the same at each import, and never longer than a name may be."""

from __future__ import annotations

import hashlib

LONGEST = 60
_HASH = 6


def first(cluster: str) -> str:
    """What the names of all that is imported into a cluster begin with."""
    return short(f"consul-alerts {cluster}", 40) + " "


def named(cluster: str, *words: str, unlike: str = "") -> str:
    """The name of one thing; `unlike` tells apart what would have the same words."""
    text = first(cluster) + " ".join(words)
    return short(text, LONGEST, unlike)


def short(text: str, longest: int, unlike: str = "") -> str:
    """The text, or its beginning and a hash of all of it."""
    text = " ".join(text.split())
    if len(text) <= longest and not unlike:
        return text
    mark = hashlib.sha256(f"{text}\0{unlike}".encode()).hexdigest()[:_HASH]
    return f"{text[: longest - _HASH - 2].rstrip()}… {mark}"[:longest]

"""From consul-alerts' names and expressions to matchers, which must match a whole name."""

from __future__ import annotations

import re
from collections.abc import Iterable

import re2

from consulops.health.matching import LONGEST_PATTERN, BadMatch, compile_match

# Matches only the absence of a name; a form keeps it, unlike an empty text.
NOTHING = "^$"
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def literal(text: str) -> str:
    """The pattern of exactly this text."""
    return _SPECIAL.sub(r"\\\g<0>", text) or NOTHING


def anywhere(regex: str) -> str:
    """The pattern of all texts in which the expression is found. Raises BadMatch.

    consul-alerts looks for its expressions anywhere in a name; matchers look at the whole.
    """
    # Alone first: a bracket too many could fit the brackets around it.
    compile_match({"name": regex})
    pattern = f".*(?:{regex}).*" if _SPECIAL.search(regex) else f".*{regex}.*"
    compile_match({"name": pattern})
    return pattern


def is_found(regex: str, text: str) -> bool:
    """Whether the expression is found anywhere in the text; a bad one is found nowhere."""
    try:
        pattern = anywhere(regex)
    except BadMatch:
        return False
    return re2.fullmatch(pattern, text) is not None


def any_of(patterns: Iterable[str]) -> list[str]:
    """As few patterns as possible that mean all of these, none longer than a pattern may be."""
    found: list[str] = []
    for pattern in patterns:
        joined = f"{found[-1]}|{pattern}" if found else pattern
        if found and len(joined) <= LONGEST_PATTERN:
            found[-1] = joined
        else:
            found.append(pattern)
    return found

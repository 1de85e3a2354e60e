"""Which alerts a route speaks for: regular expressions that must match a whole name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from consulops.core.status import FAILING

PATTERNS = ("cluster", "service", "node", "check", "tag")
STATUSES = tuple(status.value for status in FAILING)


class BadMatch(Exception):
    """A matcher that cannot work; `path` says which, `text` why."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path, self.text = path, text


@dataclass(frozen=True, slots=True)
class Subject:
    """What matchers look at: one failing check."""

    cluster: str
    service: str
    node: str
    check: str
    tags: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True)
class Match:
    """Compiled matchers: every one that is given must agree."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    statuses: frozenset[str]

    def mismatch(self, subject: Subject) -> str:
        """Why this subject is not meant; empty when it is."""
        if self.statuses and subject.status not in self.statuses:
            return f"the status is {subject.status}, not {' or '.join(sorted(self.statuses))}"
        for name, pattern in self.patterns:
            if not self._agrees(name, pattern, subject):
                return f"no {name} matches {pattern.pattern}"
        return ""

    @staticmethod
    def _agrees(name: str, pattern: re.Pattern[str], subject: Subject) -> bool:
        if name == "tag":
            # ".*" also means checks without tags, as for a service that is not named.
            return any(pattern.fullmatch(tag) for tag in subject.tags or ("",))
        return pattern.fullmatch(getattr(subject, name)) is not None


def compile_match(match: Mapping[str, Any]) -> Match:
    """The matchers of a route's `match`. Raises BadMatch with the path of what is wrong."""
    patterns = []
    for name, value in match.items():
        if name == "status":
            continue
        if name not in PATTERNS:
            raise BadMatch(name, f"no such matcher; there are {', '.join(PATTERNS)} and status")
        if not isinstance(value, str):
            raise BadMatch(name, "a regular expression is expected")
        patterns.append((name, _compile(name, value)))
    return Match(tuple(patterns), _statuses(match.get("status", [])))


def _statuses(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise BadMatch("status", f"a list of {' and '.join(STATUSES)} is expected")
    for position, status in enumerate(value):
        if status not in STATUSES:
            raise BadMatch(f"status[{position}]", f"{status!r} is neither {' nor '.join(STATUSES)}")
    return frozenset(value)


@lru_cache(maxsize=1024)
def _compile(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise BadMatch(name, f"no regular expression: {error}") from error

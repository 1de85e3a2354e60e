"""Which checks are meant: regular expressions that must match a whole name.

They are RE2's, whose time grows with the length of the text and no faster, so that a pattern that
a person wrote cannot stop everything else. consul-alerts' patterns are of the same language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import re2

from consulops.core.status import FAILING

PATTERNS = (*("cluster", "service", "service_id", "node", "check", "name", "tag", "output"),)
# Matchers on one key of a mapping each: {"service_meta": {"team": "pay.*"}}.
METAS = ("service_meta", "node_meta")
STATUSES = tuple(status.value for status in FAILING)
LONGEST_PATTERN = 1000

_QUIET = re2.Options()
_QUIET.log_errors = False
# "." also means the ends of lines: an output has several.
_QUIET.dot_nl = True


class BadMatch(Exception):
    """A matcher that cannot work; `path` says which, `text` why."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path, self.text = path, text


class Pattern(Protocol):
    """A compiled regular expression, as far as it is used here."""

    pattern: str

    def fullmatch(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What matchers look at: one failing check."""

    cluster: str
    service: str
    node: str
    check: str
    tags: tuple[str, ...]
    status: str
    service_id: str = ""
    name: str = ""
    output: str = ""
    service_meta: Mapping[str, str] = field(default_factory=dict)
    node_meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """Compiled matchers: every one that is given must agree."""

    patterns: tuple[tuple[str, Pattern], ...]
    # What is looked at, the key in it, and the pattern of the key's value.
    metas: tuple[tuple[str, str, Pattern], ...]
    statuses: frozenset[str]

    def mismatch(self, subject: Subject) -> str:
        """Why this subject is not meant; empty when it is."""
        if self.statuses and subject.status not in self.statuses:
            return f"the status is {subject.status}, not {' or '.join(sorted(self.statuses))}"
        for name, pattern in self.patterns:
            if not self._agrees(name, pattern, subject):
                return f"no {name.replace('_', ' ')} matches {pattern.pattern}"
        for name, key, pattern in self.metas:
            value = getattr(subject, name).get(key, "")
            if pattern.fullmatch(value) is None:
                return f"the {name.replace('_', ' ')} {key} is {value!r}, not {pattern.pattern}"
        return ""

    def needs(self, meta: str) -> bool:
        """Whether the matchers look at "service_meta" or "node_meta"."""
        return any(name == meta for name, _, _ in self.metas)

    @staticmethod
    def _agrees(name: str, pattern: Pattern, subject: Subject) -> bool:
        if name == "tag":
            # ".*" also means checks without tags, as for a service that is not named.
            return any(pattern.fullmatch(tag) for tag in subject.tags or ("",))
        return pattern.fullmatch(getattr(subject, name)) is not None


def compile_match(match: Mapping[str, Any]) -> Match:
    """The matchers of a route's or a silence's `match`.

    Raises BadMatch with the path of what is wrong.
    """
    patterns, metas = [], []
    for name, value in match.items():
        if name == "status":
            continue
        if name in METAS:
            metas += [
                (name, key, _compile(f"{name}.{key}", one)) for key, one in _pairs(name, value)
            ]
            continue
        if name not in PATTERNS:
            known = ", ".join((*PATTERNS, *METAS))
            raise BadMatch(name, f"no such matcher; there are {known} and status")
        patterns.append((name, _compile(name, value)))
    return Match(tuple(patterns), tuple(metas), _statuses(match.get("status", [])))


def _pairs(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise BadMatch(name, "a regular expression for each key is expected")
    return [(str(key), one) for key, one in value.items()]


def _statuses(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise BadMatch("status", f"a list of {' and '.join(STATUSES)} is expected")
    for position, status in enumerate(value):
        if status not in STATUSES:
            raise BadMatch(f"status[{position}]", f"{status!r} is neither {' nor '.join(STATUSES)}")
    return frozenset(value)


def _compile(path: str, pattern: Any) -> Pattern:
    if not isinstance(pattern, str):
        raise BadMatch(path, "a regular expression is expected")
    if len(pattern) > LONGEST_PATTERN:
        raise BadMatch(path, f"longer than {LONGEST_PATTERN} characters")
    compiled = _compiled(pattern)
    if isinstance(compiled, str):
        raise BadMatch(path, f"no regular expression: {compiled}")
    return compiled


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Pattern | str:
    """The expression, or what is wrong with it."""
    try:
        compiled: Pattern = re2.compile(pattern, _QUIET)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return compiled

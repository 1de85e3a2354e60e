"""What a silence must be: nobody is to be kept from hearing of everything by a slip. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consulops.core.status import FAILING
from consulops.core.windows import BadWindow, parse
from consulops.health.matching import BadMatch, Match, Subject, compile_match

LONGEST = timedelta(days=366)
LONGEST_COMMENT = 2000
# Names that no pattern means which means some names only.
_ANY_NAMES = ("qzxv", "QZ7", "0.x-y_z")

Problem = tuple[str, str]


class BadSilence(Exception):
    """A silence that is refused; a problem is the path of a setting ("match.service") and why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants a silence to be."""

    match: Mapping[str, Any]
    comment: str
    starts_at: datetime
    # None: without end.
    ends_at: datetime | None
    windows: list[dict[str, Any]]
    # The person knows that the matchers mean every check.
    everything: bool = False


def check(wanted: Wanted, now: datetime, *, may_be_endless: bool) -> None:
    """Raises BadSilence with all that is wrong."""
    problems = [
        *_of_match(wanted),
        *_of_time(wanted, now, may_be_endless),
        *_of_windows(wanted),
        *_of_comment(wanted.comment),
    ]
    if problems:
        raise BadSilence(*problems)


def means_everything(match: Match) -> bool:
    """Whether the names of a check do not matter, for failures of any status or of one."""
    return any(
        all(not match.mismatch(_subject(name, status.value)) for name in _ANY_NAMES)
        for status in FAILING
    )


def _subject(name: str, status: str) -> Subject:
    return Subject(
        cluster=name,
        service=name,
        node=name,
        check=name,
        tags=(name,),
        status=status,
        service_id=name,
        name=name,
        output=name,
    )


def _of_match(wanted: Wanted) -> Iterator[Problem]:
    try:
        match = compile_match(wanted.match)
    except BadMatch as error:
        yield f"match.{error.path}", error.text
        return
    if means_everything(match) and not wanted.everything:
        yield "match", "it would silence every check; name some, or say that you mean everything"


def _of_time(wanted: Wanted, now: datetime, may_be_endless: bool) -> Iterator[Problem]:
    if wanted.ends_at is None:
        if not may_be_endless:
            yield "ends_at", "only an admin may silence without end"
        return
    if wanted.ends_at <= now:
        yield "ends_at", "this time is over"
    elif wanted.ends_at <= wanted.starts_at:
        yield "ends_at", "it would end before it starts"
    elif wanted.ends_at - max(wanted.starts_at, now) > LONGEST:
        yield "ends_at", "longer than a year; what shall never end is a silence without end"


def _of_windows(wanted: Wanted) -> Iterator[Problem]:
    try:
        parse(wanted.windows)
    except BadWindow as error:
        yield f"windows{error.path}", error.text


def _of_comment(comment: str) -> Iterator[Problem]:
    if not comment.strip():
        yield "comment", "say why, for those who wonder at night"
    elif len(comment) > LONGEST_COMMENT:
        yield "comment", f"longer than {LONGEST_COMMENT} characters"

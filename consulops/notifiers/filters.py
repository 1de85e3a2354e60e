"""What templates of messages may do with a value: Jinja2's filters that have a bound, and ours."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import jinja2.filters
from jinja2 import pass_environment
from jinja2.environment import Environment
from jinja2.runtime import Undefined

LONGEST_TEXT = 1_000_000
_TOO_LONG = f"it makes something longer than {LONGEST_TEXT:,} characters"
# What a thing takes in a list, whatever it is.
_PLACE = 8
_MOST_DIGITS = 15
_WIDEST_INDENT = 40
_FROM_JINJA = [
    "abs",
    "capitalize",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
]


class TooMuch(Exception):
    """A template that would take too long, or make more than is ever sent."""


class NoText(Exception):
    """A thing of many parts was written as if it were one text."""


def weight(value: Any) -> int:
    """About how many characters it would take to write this; stops counting beyond the bound.

    What is held twice counts twice: it would be written, and compared, twice.
    """
    total, left = 0, [iter((value,))]
    while left and total <= LONGEST_TEXT:
        one = next(left[-1], left)
        if one is left:
            left.pop()
        elif isinstance(one, str):
            total += len(one) + _PLACE
        elif isinstance(one, Mapping):
            left.append(iter([part for item in one.items() for part in item]))
        elif isinstance(one, list | tuple | set | frozenset):
            total += _PLACE
            left.append(iter(one))
        else:
            total += _PLACE
    return total


def held(value: Any) -> Any:
    """The value as a template may hold it: no endless iterator, nothing too large."""
    if isinstance(value, Iterator):
        value = list(islice(value, LONGEST_TEXT + 1))
    if weight(value) > LONGEST_TEXT:
        raise TooMuch(_TOO_LONG)
    return value


def text(value: Any) -> str:
    """The value as it is written into a message. Raises NoText for an alert or a message."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Undefined | bool | int | float | date | timedelta) or value is None:
        return str(value)
    if isinstance(value, list | tuple) and all(isinstance(one, str | int) for one in value):
        return join(value, ", ")
    if isinstance(value, list | tuple | Mapping):
        raise NoText("a list of things is no text; loop over it, or write |tojson")
    if is_dataclass(value):
        what = type(value).__name__.removesuffix("Facts").lower()
        raise NoText(f"{what} is no text; name one of its fields, such as {what}.title")
    if callable(value):
        raise NoText("a method is no text; write () behind its name")
    raise NoText(f"{type(value).__name__} is no text")


def join(parts: Iterable[Any], between: str = "") -> str:
    """The texts of the parts in a row. Raises TooMuch."""
    texts = [text(part) for part in parts]
    if sum(map(len, texts)) + len(between) * len(texts) > LONGEST_TEXT:
        raise TooMuch(_TOO_LONG)
    return between.join(texts)


@pass_environment
def _join(
    environment: Environment, parts: Iterable[Any], between: str = "", attribute: str | None = None
) -> str:
    if attribute is not None:
        parts = map(jinja2.filters.make_attrgetter(environment, attribute), parts)
    return join(parts, text(between))


def _tojson(value: Any, indent: int | None = None) -> str:
    width = None if indent is None else min(int(indent), 8)
    return json.dumps(value, ensure_ascii=False, indent=width, default=_plain)


def _plain(value: Any) -> Any:
    """What JSON has no word for, as the webhook's body has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if is_dataclass(value) and hasattr(value, "to_dict"):
        return value.to_dict()
    # Raises, with the name of what is missing, for an undefined one.
    return text(value)


def _date(value: datetime, pattern: str = "%Y-%m-%d %H:%M:%S %Z", zone: str = "UTC") -> str:
    try:
        where = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise NoText(f"there is no time zone {zone!r}") from None
    return value.astimezone(where).strftime(pattern)


def _excerpt(value: Any, length: int = 200) -> str:
    # Imported here: answers are made of what messages are, and those hold their templates.
    from consulops.notifiers.answers import excerpt

    return excerpt(text(value), max(1, int(length)))


def _replace(value: Any, old: str, new: str) -> str:
    said, old, new = text(value), text(old), text(new)
    if len(said) + said.count(old) * len(new) > LONGEST_TEXT:
        raise TooMuch(_TOO_LONG)
    return said.replace(old, new)


def _indent(value: Any, width: int = 4, first: bool = False) -> str:
    if not 0 <= width <= _WIDEST_INDENT:
        raise NoText(f"an indent is at most {_WIDEST_INDENT} wide")
    return str(jinja2.filters.do_indent(text(value), width, first))


def _round(value: float, digits: int = 0) -> float:
    if abs(digits) > _MOST_DIGITS:
        raise NoText(f"round takes at most {_MOST_DIGITS} digits")
    return round(value, digits)


@pass_environment
def _sum(
    environment: Environment, values: Iterable[Any], attribute: str | None = None
) -> int | float:
    """Of numbers: lists would be copied again and again."""
    if attribute is not None:
        values = map(jinja2.filters.make_attrgetter(environment, attribute), values)
    return sum(value + 0.0 if isinstance(value, float) else int(value) for value in values)


def _escape(value: Any) -> str:
    return html.escape(text(value))


FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: jinja2.filters.FILTERS[name] for name in _FROM_JINJA},
    "date": _date,
    "e": _escape,
    "escape": _escape,
    "excerpt": _excerpt,
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "string": text,
    "sum": _sum,
    "tojson": _tojson,
}

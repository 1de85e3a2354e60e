"""Pages by key: fast at any depth, and steady while rows arrive."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet

# A row with its 24-hour bar costs about half a millisecond: with this many, a list of 5,000 checks
# stays within 60 ms at the server.
SIZE = 50

Row = TypeVar("Row", bound=Model)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows; `following` is the `?after=` of the next page, empty at the end."""

    rows: list[Item]
    following: str
    is_first: bool


def page(
    rows: QuerySet[Row], order: tuple[str, ...], after: str = "", size: int = SIZE
) -> Page[Row]:
    """The rows after that key in this order ("-" = descending), which must end in a unique column.

    A key that cannot be read, as in an old or damaged link, gives the first page.
    """
    key = _read(rows.model, order, after)
    if key is not None:
        rows = rows.filter(_beyond(order, key))
    found = list(rows.order_by(*order)[: size + 1])
    more = len(found) > size
    found = found[:size]
    return Page(found, _write(found[-1], order) if more else "", is_first=key is None)


def page_of(
    items: Sequence[Item], key: Callable[[Item], tuple[Any, ...]], after: str = "", size: int = SIZE
) -> Page[Item]:
    """The same for rows that were put together in memory and are sorted by this key."""
    known = _decode(after)
    start = 0
    if known is not None:
        try:
            start = bisect_right(items, tuple(known), key=key)
        except TypeError:  # a key of another list
            known = None
    found = list(items[start : start + size])
    more = len(items) > start + size
    following = _encode(list(key(found[-1]))) if more else ""
    return Page(found, following, is_first=known is None)


def _beyond(order: tuple[str, ...], key: list[Any]) -> Q:
    """Rows that come after the key: equal in the first columns, and beyond in the next one."""
    # Says again what the rest implies, for the planner: this much can be an index condition.
    bound = Q(**{f"{_name(order[0])}__{'lte' if order[0].startswith('-') else 'gte'}": key[0]})
    equal, any_of = Q(), Q()
    for column, value in zip(order, key, strict=True):
        name = _name(column)
        any_of |= equal & Q(**{f"{name}__{'lt' if column.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    return bound & any_of


def _name(column: str) -> str:
    return column.removeprefix("-")


def _fields(model: type[Model], order: tuple[str, ...]) -> list[Field[Any, Any]]:
    columns = {field.name: field for field in model._meta.fields}
    return [columns[_name(column)] for column in order]


def _write(row: Model, order: tuple[str, ...]) -> str:
    return _encode([field.value_to_string(row) for field in _fields(type(row), order)])


def _read(model: type[Model], order: tuple[str, ...], text: str) -> list[Any] | None:
    values = _decode(text)
    if values is None or len(values) != len(order):
        return None
    try:
        return [
            field.to_python(str(value))
            for field, value in zip(_fields(model, order), values, strict=True)
        ]
    except (ValueError, ValidationError):
        return None


def _encode(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _decode(text: str) -> list[Any] | None:
    """What `_encode` was given; None for anything else."""
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, list) else None

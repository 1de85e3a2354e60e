"""An audit entry's detail in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One fact of an entry: a field with its value, or with its old and its new one."""

    field: str
    value: str = ""
    before: str | None = None


def lines(detail: dict[str, Any]) -> list[Line]:
    """The facts of a detail; what {"changed": …} holds comes first, field by field."""
    rest = {key: value for key, value in detail.items() if key != "changed"}
    return [*_changes(detail.get("changed")), *(Line(_name(key), _text(rest[key])) for key in rest)]


def _changes(changed: Any) -> list[Line]:
    if isinstance(changed, dict):
        return [_change(_name(field), change) for field, change in changed.items()]
    if isinstance(changed, list):
        return [Line(_name(field), "changed") for field in changed]
    return [] if changed is None else [Line("changed", _text(changed))]


def _change(field: str, change: Any) -> Line:
    if isinstance(change, dict) and change.keys() == {"from", "to"}:
        return Line(field, _text(change["to"]), _text(change["from"]))
    return Line(field, _text(change))


def _name(field: Any) -> str:
    return str(field).replace("_", " ")


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    if value == "":
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"

"""The form of the file: which sections there are, and what each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from consulops.api.configuration.items import Item
from consulops.api.configuration.problems import problem

# In the contract, but not in this version.
NOT_YET = ("replication_jobs", "storages", "snapshot_plans")


@dataclass(slots=True)
class Document:
    """The sections of a file, each item by its position; only those whose form is right.

    A section that is not there (None) is left alone, also by --prune. `problems` tells what is
    wrong with the form, and `names` holds the names of all items, also of wrong ones. A section
    that is one item has it at position 0.
    """

    items: dict[str, dict[int, Any] | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """What the reader must know of a section."""

    item: type[Item]
    is_single: bool = False


def parse(data: Mapping[str, Any], forms: Mapping[str, Form]) -> Document:
    """The document that this data is, as far as it is right."""
    document = Document()
    for section, form in forms.items():
        document.names[section] = []
        document.items[section] = None
        if section in data:
            read = _single if form.is_single else _list
            document.items[section] = read(document, data[section], section, form.item)
    for name in data:
        if name in NOT_YET:
            text = "this version of ConsulOps has no such section yet"
            document.problems.append(problem((name,), text))
        elif name not in forms:
            document.problems.append(problem((name,), "there is no such section"))
    return document


def _single(document: Document, value: Any, section: str, form: type[Item]) -> dict[int, Any]:
    item = _item(document, (section,), form, value if value is not None else {})
    return {} if item is None else {0: item}


def _list(document: Document, value: Any, section: str, form: type[Item]) -> dict[int, Any]:
    rows = value if value is not None else []
    if not isinstance(rows, list):
        document.problems.append(problem((section,), "must be a list"))
        return {}
    names = document.names[section]
    items: dict[int, Any] = {}
    for position, row in enumerate(rows):
        if form.unique:
            name = row.get(form.unique) if isinstance(row, dict) else None
            if name in names:
                text = f"{name!r} is the name of {section}[{names.index(name)}] already"
                document.problems.append(problem((section, position, form.unique), text))
            names.append(name if isinstance(name, str) else "")
        item = _item(document, (section, position), form, row)
        if item is not None:
            items[position] = item
    return items


def _item(document: Document, place: tuple[str | int, ...], form: type[Item], row: Any) -> Any:
    try:
        return form.model_validate(row)
    except ValidationError as error:
        document.problems += [problem((*place, *one["loc"]), _words(one)) for one in error.errors()]
        return None


_SAID = {
    "extra_forbidden": "there is no such setting",
    "missing": "this is missing",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must hold settings",
    "model_type": "must hold settings",
}


def _words(error: Any) -> str:
    said = _SAID.get(error["type"])
    if said:
        return said
    text: str = error["msg"]
    return text[0].lower() + text[1:]

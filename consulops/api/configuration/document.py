"""The form of the file: which sections and settings there are, and what each may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consulops.api.configuration.problems import problem
from consulops.clusters.models import Colour

# In the contract, but not in this version.
NOT_YET = ("silences", "replication_jobs", "storages", "snapshot_plans")

Name = Annotated[str, Field(min_length=1, max_length=60)]
Seconds = Annotated[int, Field(ge=0, le=2_147_483_647)]


class _Item(BaseModel):
    # Strict: a port in quotes or a name without (`on`, `2026-01-01`) is a mistake to point at.
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name


Item = TypeVar("Item", bound=_Item)


class ClusterItem(_Item):
    """A cluster. A secret that is left out stays as it is; anything else gets its default."""

    address: str
    datacenter: str = ""
    token: str | None = None
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: str | None = None
    verify_tls: bool = True
    colour: Literal[*Colour.values] = Colour.GREY.value  # type: ignore[valid-type]
    read_only: bool = False
    enabled: bool = True


class NotifierItem(_Item):
    """A notifier; what `config` holds depends on the kind."""

    kind: str
    config: dict[str, Any] = {}
    enabled: bool = True
    timeout_s: int = Field(10, ge=1, le=120)
    concurrency: int = Field(8, ge=1, le=64)


class RouteItem(_Item):
    """A route; its matchers are checked where they are compiled."""

    enabled: bool = True
    match: dict[str, Any] = {}
    wait_s: Seconds = 0
    remind_every_s: Seconds = 0
    group_by: list[Literal["cluster", "service", "node", "check"]] = []
    group_wait_s: Seconds = 0
    notify_resolved: bool = True
    continues: bool = Field(False, alias="continue")
    notifiers: list[str] = []


@dataclass(slots=True)
class Document:
    """The sections of a file, each item by its position; only those whose form is right.

    A section that is not there (None) is left alone, also by --prune. `problems` tells what is
    wrong with the form, and `names` holds the names of all items, also of wrong ones.
    """

    clusters: dict[int, ClusterItem] | None = None
    notifiers: dict[int, NotifierItem] | None = None
    routes: dict[int, RouteItem] | None = None
    problems: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)


def parse(data: dict[str, Any]) -> Document:
    """The document that this data is, as far as it is right."""
    document = Document()
    document.clusters = _section(document, data, "clusters", ClusterItem)
    document.notifiers = _section(document, data, "notifiers", NotifierItem)
    document.routes = _section(document, data, "routes", RouteItem)
    for name in data:
        if name in NOT_YET:
            text = "this version of ConsulOps has no such section yet"
            document.problems.append(problem((name,), text))
        elif name not in document.names:
            document.problems.append(problem((name,), "there is no such section"))
    return document


def _section(
    document: Document, data: dict[str, Any], section: str, form: type[Item]
) -> dict[int, Item] | None:
    names = document.names[section] = []
    if section not in data:
        return None
    rows = data[section] if data[section] is not None else []
    if not isinstance(rows, list):
        document.problems.append(problem((section,), "must be a list"))
        return {}
    items: dict[int, Item] = {}
    for position, row in enumerate(rows):
        name = row.get("name") if isinstance(row, dict) else None
        if name in names:
            text = f"{name!r} is the name of {section}[{names.index(name)}] already"
            document.problems.append(problem((section, position, "name"), text))
        names.append(name if isinstance(name, str) else "")
        try:
            items[position] = form.model_validate(row)
        except ValidationError as error:
            document.problems += [
                problem((section, position, *one["loc"]), _words(one)) for one in error.errors()
            ]
    return items


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

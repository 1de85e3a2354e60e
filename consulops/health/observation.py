"""One entry of Consul's health listings, made safe to store and to compare."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consulops.core.status import Status

# Consul itself cuts outputs at 4 KB; an agent may be configured to send far more.
MAX_OUTPUT = 64 * 1024
# Names are part of unique indexes, whose rows PostgreSQL limits to about 2,700 bytes.
MAX_NAME = 400

Key = tuple[str, str]

_MAINTENANCE = ("_node_maintenance", "_service_maintenance:")
_STATUSES = {
    "passing": Status.PASSING,
    "warning": Status.WARNING,
    "critical": Status.CRITICAL,
    "maintenance": Status.MAINTENANCE,
}


class BadEntry(Exception):
    """An entry that is no health check: without a node, a check id or an index."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What Consul says of one check at one ModifyIndex."""

    node: str
    check_id: str
    name: str
    service_id: str
    service: str
    tags: tuple[str, ...]
    status: Status
    output: str
    notes: str
    modify_index: int

    @property
    def key(self) -> Key:
        return self.node, self.check_id


def key_of(entry: Mapping[str, Any]) -> Key:
    """The identity of a check within its cluster. Raises BadEntry."""
    node, check_id = entry.get("Node"), entry.get("CheckID")
    if not (isinstance(node, str) and isinstance(check_id, str) and node and check_id):
        raise BadEntry("An entry of the health listing has no Node or no CheckID.")
    return short(node), short(check_id)


def index_of(entry: Mapping[str, Any]) -> int:
    """The entry's ModifyIndex. Raises BadEntry."""
    index = entry.get("ModifyIndex")
    if not isinstance(index, int):
        raise BadEntry("An entry of the health listing has no ModifyIndex.")
    return index


def observe(entry: Mapping[str, Any]) -> Observation:
    """The whole entry. Raises BadEntry."""
    node, check_id = key_of(entry)
    tags = entry.get("ServiceTags")
    return Observation(
        node=node,
        check_id=check_id,
        name=short(_text(entry, "Name")),
        service_id=short(_text(entry, "ServiceID")),
        service=short(_text(entry, "ServiceName")),
        tags=tuple(short(str(tag)) for tag in tags) if isinstance(tags, list) else (),
        status=status_of(check_id, _text(entry, "Status")),
        output=cut(_text(entry, "Output")),
        notes=cut(_text(entry, "Notes")),
        modify_index=index_of(entry),
    )


def status_of(check_id: str, consul_status: str) -> Status:
    """Our state for Consul's: maintenance arrives as a critical check with a name of its own."""
    if check_id.startswith(_MAINTENANCE) and consul_status == "critical":
        return Status.MAINTENANCE
    return _STATUSES.get(consul_status, Status.UNKNOWN)


def short(name: str) -> str:
    """A name that fits an index: a longer one keeps its head and gets its hash as the tail."""
    if len(name) <= MAX_NAME and name.isascii() and "\x00" not in name:
        # Nearly all, many thousand times in a listing.
        return name
    name = name.replace("\x00", "\ufffd")
    if len(name.encode(errors="replace")) <= MAX_NAME:
        return name
    return f"{name[:60]}…{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:24]}"


def cut(text: str) -> str:
    """A text that PostgreSQL can hold, at most MAX_OUTPUT characters; says so when it was cut."""
    text = text.replace("\x00", "\ufffd")
    if len(text) <= MAX_OUTPUT:
        return text
    return f"{text[:MAX_OUTPUT]}\n… cut: the output had {len(text):,} characters"


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field)
    return value if isinstance(value, str) else ""

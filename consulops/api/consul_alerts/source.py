"""Where consul-alerts' keys come from: Consul's own store, or a file of `consul kv export`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consulops.api.consul_alerts import findings
from consulops.api.consul_alerts.config import PREFIX
from consulops.api.consul_alerts.findings import Finding
from consulops.clusters.models import Cluster
from consulops.consulapi import Client, ConsulError
from consulops.consulapi.errors import NotFound, PermissionDenied

TIMEOUT_S = 10.0
MOST_BYTES = 64 << 20
_BESIDE = {
    "reminders/": "Reminders that consul-alerts would send: {}. ConsulOps has a memory of its own.",
    "checks/": "States of checks that consul-alerts keeps: {}. ConsulOps asks Consul.",
}


class CannotRead(Exception):
    """The keys cannot be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The keys without their prefix, and what else there is of consul-alerts' own."""

    entries: Mapping[str, bytes]
    findings: list[Finding] = field(default_factory=list)


def from_consul(cluster: Cluster, prefix: str = PREFIX) -> Tree:
    """Reads all keys under the prefix. Raises CannotRead and WrongKey."""
    try:
        with Client(cluster.connection(), timeout_s=TIMEOUT_S) as client:
            found = _entries(_listing(client, prefix, {"recurse": ""}), prefix)
            beside = _beside(client, prefix)
    except PermissionDenied as error:
        raise CannotRead(f"{error} {_needed(prefix)}") from error
    except ConsulError as error:
        raise CannotRead(str(error)) from error
    if not found:
        # Consul shows no key that the token may not read, and says no more about it.
        text = (
            f"{cluster.name} has no key under {prefix} that its token may read. {_needed(prefix)}"
        )
        raise CannotRead(text)
    return Tree(found, beside)


def from_file(raw: bytes, prefix: str = PREFIX) -> Tree:
    """Reads what `consul kv export` has written. Raises CannotRead."""
    if len(raw) > MOST_BYTES:
        raise CannotRead(f"The file is larger than {MOST_BYTES >> 20} MB.")
    try:
        listing = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CannotRead(f"The file is not JSON, as consul kv export writes it: {error}") from None
    if not isinstance(listing, list):
        raise CannotRead("The file is not an array, as consul kv export writes it.")
    entries = _entries(listing, prefix)
    if not entries:
        raise CannotRead(f"The file has no key under {prefix}.")
    counts = dict.fromkeys(_BESIDE, 0)
    for entry in listing:
        for part in _BESIDE:
            counts[part] += _key(entry).startswith(_root(prefix) + part)
    return Tree(entries, _counted(prefix, counts))


def _needed(prefix: str) -> str:
    policy = f'key_prefix "{prefix}" {{ policy = "read" }}'
    return f"The token needs a policy with {policy}."


def _listing(client: Client, prefix: str, params: Mapping[str, str]) -> list[Any]:
    try:
        value = client.read(f"/v1/kv/{prefix}", params).value
    except NotFound:
        # Consul answers so when there is no key at all.
        return []
    return value if isinstance(value, list) else []


def _beside(client: Client, prefix: str) -> list[Finding]:
    """Counts what lies beside the configuration, as far as the token may see it."""
    if not prefix.endswith("config/"):
        return []
    counts = {}
    for part in _BESIDE:
        try:
            counts[part] = len(_listing(client, _root(prefix) + part, {"keys": ""}))
        except PermissionDenied:
            counts[part] = 0
    return _counted(prefix, counts)


def _counted(prefix: str, counts: Mapping[str, int]) -> list[Finding]:
    return [
        findings.note(_root(prefix) + part, _BESIDE[part].format(number))
        for part, number in counts.items()
        if number
    ]


def _root(prefix: str) -> str:
    return prefix.removesuffix("config/")


def _entries(listing: list[Any], prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in listing:
        key = _key(entry)
        if not key.startswith(prefix) or key == prefix:
            continue
        try:
            found[key.removeprefix(prefix)] = base64.b64decode(_value(entry), validate=True)
        except (binascii.Error, ValueError) as error:
            raise CannotRead(f"The value of {key} is not base64: {error}.") from None
    return found


def _key(entry: Any) -> str:
    key = (entry.get("Key") or entry.get("key")) if isinstance(entry, dict) else None
    return key if isinstance(key, str) else ""


def _value(entry: Any) -> str:
    value = entry.get("Value") or entry.get("value") or ""
    return value if isinstance(value, str) else ""

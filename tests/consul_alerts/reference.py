"""What consul-alerts itself does with its configuration, written from its documentation.

Slow and simple on purpose: the routes that the import makes are compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import re2


@dataclass(frozen=True)
class Seen:
    """One check in one status."""

    node: str
    service: str
    check: str
    status: str


@dataclass(frozen=True)
class Verdict:
    """Who is told (names as consul-alerts calls them), after how long, and how often again."""

    told: frozenset[str]
    wait_s: int
    interval_min: int


class Reference:
    """Looks everything up in the keys, anew for each check."""

    def __init__(self, keys: Mapping[str, bytes], enabled: frozenset[str]) -> None:
        self.keys, self.enabled = keys, enabled

    def verdict(self, seen: Seen) -> Verdict:
        """What becomes of a check that is not on the blacklist."""
        profile = self.profile(seen)
        if profile is None:
            return Verdict(self.enabled, self.threshold(seen), 0)
        listed = profile.get("NotifList") or {}
        told = {name for name, wanted in listed.items() if wanted} if listed else self.enabled
        return Verdict(self.enabled & told, self.threshold(seen), profile.get("Interval", 0))

    def threshold(self, seen: Seen) -> int:
        """The most specific one."""
        head = "checks"
        for name in (
            f"{head}/single/{seen.node}/{seen.service or '_'}/{seen.check}/change-threshold",
            f"{head}/check/{seen.check}/change-threshold",
            f"{head}/service/{seen.service}/change-threshold",
            f"{head}/node/{seen.node}/change-threshold",
            f"{head}/change-threshold",
        ):
            if name in self.keys:
                return int(self.keys[name])
        return 60

    def profile(self, seen: Seen) -> dict[str, Any] | None:
        """The first that is selected: service, check, host, status, default."""
        levels = {
            "services": seen.service,
            "checks": seen.check,
            "hosts": seen.node,
            "status": seen.status,
        }
        for level, name in levels.items():
            chosen = self._selected(f"notif-selection/{level}", name)
            if chosen is not None:
                return self._load(chosen)
        return self._load("default")

    def is_blacklisted(self, seen: Seen) -> bool:
        """By any of its names."""
        head = "checks/blacklist"
        single = f"{head}/single/{seen.node}/{seen.service or '_'}/{seen.check}"
        named = {
            "nodes": seen.node,
            "services": seen.service,
            "checks": seen.check,
            "status": seen.status,
        }
        return single in self.keys or any(
            f"{head}/{sort}/{name}" in self.keys
            or any(
                re2.search(one, name) for one in json.loads(self.keys.get(f"{head}/{sort}", "[]"))
            )
            for sort, name in named.items()
        )

    def _selected(self, place: str, name: str) -> str | None:
        exact = self.keys.get(f"{place}/{name}")
        if exact is not None:
            return exact.decode()
        for regex, profile in json.loads(self.keys.get(place, "{}")).items():
            if re2.search(regex, name):
                return str(profile)
        return None

    def _load(self, name: str) -> dict[str, Any] | None:
        raw = self.keys.get(f"notif-profiles/{name}")
        found: dict[str, Any] | None = json.loads(raw) if raw is not None else None
        return found

"""consul-alerts' configuration as it is read from its keys, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consulops.api.consul_alerts.findings import Finding
from consulops.api.consul_alerts.patterns import is_found

PREFIX = "consul-alerts/config/"
DEFAULT_THRESHOLD_S = 60
# The name of the profile that holds where nothing else is selected.
DEFAULT_PROFILE = "default"
# In keys this stands for the service of a check that belongs to a node.
NO_SERVICE = "_"
# Of selections, in the order in which consul-alerts looks.
LEVELS = ("services", "checks", "hosts", "status")
STATUSES = ("critical", "warning", "passing")


@dataclass(frozen=True, slots=True)
class Threshold:
    """How long a status must last (seconds) for the checks that are named; "" means any."""

    key: str
    seconds: int
    node: str = ""
    service: str = ""
    check: str = ""

    @property
    def rank(self) -> int:
        """0 for the most specific: one check, a check's id, a service, a node."""
        if self.node and self.check:
            return 0
        return 1 if self.check else 2 if self.service else 3


@dataclass(frozen=True, slots=True)
class Named:
    """Names of one sort: one exactly, or all in which a regular expression is found."""

    key: str
    # "services", "checks", "hosts" or "status", as in LEVELS.
    level: str
    exact: str | None = None
    regex: str | None = None

    def means(self, name: str) -> bool:
        """Whether this name is meant; a bad expression means none."""
        return self.exact == name or (self.regex is not None and is_found(self.regex, name))


@dataclass(frozen=True, slots=True)
class Single:
    """One check that is on the blacklist by node, service and check."""

    key: str
    node: str
    service: str
    check: str


@dataclass(frozen=True, slots=True)
class Selection:
    """For these names this profile holds."""

    names: Named
    profile: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Whom to tell, how often to remind (minutes), and what differs for some notifiers."""

    key: str
    interval_min: int = 0
    notifiers: Mapping[str, bool] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Config:
    """Everything that consul-alerts' keys say, and what was wrong with some of them."""

    checks_enabled: bool = True
    threshold_s: int = DEFAULT_THRESHOLD_S
    thresholds: list[Threshold] = field(default_factory=list)
    blacklist: list[Named | Single] = field(default_factory=list)
    events_enabled: bool = True
    handlers: list[str] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    selections: list[Selection] = field(default_factory=list)
    # Settings of each notifier as they stand in their keys.
    notifiers: dict[str, dict[str, str]] = field(default_factory=dict)
    custom: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

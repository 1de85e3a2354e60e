"""Everything that an import would make, from consul-alerts' keys alone. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from consulops.api.consul_alerts import findings, names, patterns, routing
from consulops.api.consul_alerts.config import NO_SERVICE, Config, Named, Single
from consulops.api.consul_alerts.destinations import Destinations, PlannedNotifier
from consulops.api.consul_alerts.findings import Finding
from consulops.api.consul_alerts.parsing import parse
from consulops.api.consul_alerts.routing import PlannedRoute
from consulops.core.status import FAILING
from consulops.health.matching import BadMatch, compile_match

# What fails within so many seconds shares a message, as what one pass of consul-alerts found did.
GROUP_WAIT_S = 5
_FIELDS = {"services": "service_id", "checks": "check", "hosts": "node"}


@dataclass(frozen=True, slots=True)
class PlannedSilence:
    """A line of the blacklist: a silence without an end."""

    match: Mapping[str, Any]
    comment: str


@dataclass(frozen=True, slots=True)
class PlannedHandler:
    """A handler of user events: a program by its name."""

    key: str
    name: str
    program: str
    enabled: bool
    cluster_pattern: str


@dataclass(slots=True)
class Plan:
    """What would be made for one cluster, and what there is to say about it."""

    cluster: str
    notifiers: list[PlannedNotifier] = field(default_factory=list)
    # By name, in order.
    routes: dict[str, PlannedRoute] = field(default_factory=dict)
    routes_enabled: bool = True
    silences: list[PlannedSilence] = field(default_factory=list)
    handlers: list[PlannedHandler] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def digest(self) -> str:
        """The same for the same plan: tells whether what was looked at is still what is there."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def plan(entries: Mapping[str, bytes], cluster: str) -> Plan:
    """The plan for these keys (without their prefix) and the cluster of this name."""
    config = parse(entries)
    told = Destinations.of(config, cluster)
    told.check_profiles()
    routes = routing.plan(config, told.offer, cluster)
    made = Plan(cluster, notifiers=told.all(), routes_enabled=config.checks_enabled)
    made.findings += [*config.findings, *told.findings, *routes.findings]
    _name_routes(made, routes.routes)
    for one in config.blacklist:
        made.silences += _silences(made, one)
    made.handlers = list(_handlers(made, config))
    if not config.checks_enabled:
        text = "The routes are made switched off: consul-alerts was told not to look at checks."
        made.findings.append(findings.note("checks/enabled", text))
    made.findings = list(dict.fromkeys(made.findings))
    return made


def _name_routes(made: Plan, routes: list[PlannedRoute]) -> None:
    for route in routes:
        name = names.named(made.cluster, route.label)
        if name in made.routes:
            name = names.named(made.cluster, route.label, unlike=json.dumps(route.match))
        try:
            compile_match(route.match)
        except BadMatch as error:
            text = f"This route cannot be made: {error}."
            made.findings.append(findings.lost(f"notif-selection ({route.label})", text))
        else:
            made.routes[name] = route


def _silences(made: Plan, one: Named | Single) -> Iterator[PlannedSilence]:
    try:
        match = _match(made, one)
        compile_match(match)
    except BadMatch as error:
        made.findings.append(findings.lost(one.key, f"{error}."))
        return
    if match.keys() == {"cluster"}:
        return  # it means no status that anybody is told of here
    what = f" ({one.regex})" if isinstance(one, Named) and one.regex is not None else ""
    yield PlannedSilence(match, f"consul-alerts: {one.key}{what}")


def _match(made: Plan, one: Named | Single) -> dict[str, Any]:
    match: dict[str, Any] = {"cluster": patterns.literal(made.cluster)}
    if isinstance(one, Single):
        service = "" if one.service == NO_SERVICE else one.service
        names_of = {"node": one.node, "service_id": service, "check": one.check}
        return match | {name: patterns.literal(value) for name, value in names_of.items()}
    if one.level == "status":
        meant = [status.value for status in FAILING if one.means(status.value)]
        return match | ({"status": meant} if meant else {})
    if one.regex is not None:
        return match | {_FIELDS[one.level]: patterns.anywhere(one.regex)}
    return match | {_FIELDS[one.level]: patterns.literal(one.exact or "")}


def _handlers(made: Plan, config: Config) -> Iterator[PlannedHandler]:
    taken: set[str] = set()
    for path in config.handlers:
        program = PurePosixPath(path).name
        name = names.named(made.cluster, "event", program)
        if name in taken:
            name = names.named(made.cluster, "event", program, unlike=path)
        if name in taken or not program:
            made.findings.append(findings.lost("events/handlers", f"“{path}” stands twice."))
            continue
        taken.add(name)
        cluster_pattern = patterns.literal(made.cluster)
        enabled = config.events_enabled
        yield PlannedHandler("events/handlers", name, program, enabled, cluster_pattern)

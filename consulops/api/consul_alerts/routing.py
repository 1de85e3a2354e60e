"""Routes whose first match gives what consul-alerts' two lookups give together. Pure.

consul-alerts looks up whom to tell (service, check, host, status, default) and, apart from that,
how long to wait (single, check, service, node, global); in each the first that is found holds.
Here both are lists of arms, and the routes are their pairs in the order of both: the first pair
that matches joins the first arm of each that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import re2

from consulops.api.consul_alerts import findings, patterns
from consulops.api.consul_alerts.config import (
    DEFAULT_PROFILE,
    NO_SERVICE,
    STATUSES,
    Config,
    Named,
    Selection,
    Threshold,
)
from consulops.api.consul_alerts.findings import Finding
from consulops.core.status import FAILING
from consulops.health.matching import BadMatch

# More than a person reads, and than can be tried on each alert of a storm.
MOST_ROUTES = 500
_FIELDS = {"services": "service_id", "checks": "check", "hosts": "node"}
_WORDS = {"services": "service", "checks": "check", "hosts": "node"}


@dataclass(frozen=True, slots=True)
class Offer:
    """Whom a profile tells (names of notifiers) and how often it reminds; "" is no profile."""

    profile: str
    notifiers: tuple[str, ...]
    remind_every_s: int = 0


@dataclass(frozen=True, slots=True)
class PlannedRoute:
    """A route to be made."""

    label: str
    match: Mapping[str, object]
    wait_s: int
    remind_every_s: int
    notify_resolved: bool
    notifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """One step of a lookup: names of one matcher each, as a set or as a pattern."""

    label: str
    exact: Mapping[str, frozenset[str]] = field(default_factory=dict)
    pattern: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """An arm of the first lookup: what its checks get, and whether they hear of the end."""

    arm: Arm
    offer: Offer
    notify_resolved: bool
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """An arm of the second lookup."""

    arm: Arm
    seconds: int


@dataclass(slots=True)
class Routes:
    """The routes in their order, and what there is to say about them."""

    routes: list[PlannedRoute] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def plan(config: Config, offer_of: Callable[[str], Offer], cluster: str) -> Routes:
    """The routes of this configuration; `offer_of` says what a profile (by name) stands for."""
    made = Routes()
    chosen = list(_choices(config, offer_of, made.findings))
    waits = list(_waits(config))
    pairs = list(_pairs(chosen, waits))
    if sum(len(fields) for _, _, fields in pairs) > MOST_ROUTES:
        text = (
            f"With the selections of profiles these would make more than {MOST_ROUTES} routes; "
            f"all checks wait {config.threshold_s} s."
        )
        made.findings += [findings.changed(one.key, text) for one in config.thresholds]
        pairs = list(_pairs(chosen, waits[-1:]))
    for choice, waiting, fields in pairs:
        made.routes += _routes(choice, waiting, fields, cluster)
    return made


def _choices(
    config: Config, offer_of: Callable[[str], Offer], found: list[Finding]
) -> Iterator[Chosen]:
    """The arms of the first lookup, the one that always matches at the end."""
    silent_end = _is_blacklisted(config, "passing")
    for arm, profile in _arms(config.selections, found):
        offer = offer_of(profile)
        yield Chosen(arm, offer, bool(offer.notifiers) and not silent_end)
    by_status = {status: offer_of(_profile_of_status(config, status)) for status in STATUSES}
    end = by_status["passing"]
    failing = [status.value for status in FAILING]
    shared = len({by_status[status] for status in failing}) == 1
    for statuses in [tuple(failing)] if shared else [(status,) for status in failing]:
        offer = by_status[statuses[0]]
        both = set(offer.notifiers) & set(end.notifiers)
        if both and set(offer.notifiers) != set(end.notifiers):
            found.append(_other_end(offer, end))
        label = "all else" if shared else f"all else {statuses[0]}"
        notify = bool(both) and not silent_end
        yield Chosen(Arm(label), offer, notify, () if shared else statuses)


def _other_end(offer: Offer, end: Offer) -> Finding:
    names = f"{', '.join(offer.notifiers)} and not {', '.join(end.notifiers)}"
    text = f"Recoveries go to those who were told of the failure: {names}."
    return findings.changed(f"notif-selection/status ({end.profile or 'no profile'})", text)


def _arms(selections: Iterable[Selection], found: list[Finding]) -> Iterator[tuple[Arm, str]]:
    for level, matcher in _FIELDS.items():
        here = [one for one in selections if one.names.level == level]
        exact: dict[str, set[str]] = {}
        for one in here:
            if one.names.exact is not None:
                exact.setdefault(one.profile, set()).add(one.names.exact)
        for profile, names in exact.items():
            # Nothing is in two of these: their order does not matter.
            label = f"{_WORDS[level]} {', '.join(sorted(names))}"
            yield Arm(label, exact={matcher: frozenset(names)}), profile
        for one in here:
            if one.names.regex is None:
                continue
            try:
                pattern = patterns.anywhere(one.names.regex)
            except BadMatch as error:
                found.append(findings.lost(one.names.key, f"“{one.names.regex}”: {error.text}."))
                continue
            label = f"{_WORDS[level]} ~ {one.names.regex}"
            yield Arm(label, pattern={matcher: pattern}), one.profile


def _profile_of_status(config: Config, status: str) -> str:
    here = [one for one in config.selections if one.names.level == "status"]
    # The exact ones first.
    for one in sorted(here, key=lambda one: one.names.exact is None):
        if one.names.means(status):
            return one.profile
    return DEFAULT_PROFILE


def _is_blacklisted(config: Config, status: str) -> bool:
    return any(
        one.means(status)
        for one in config.blacklist
        if isinstance(one, Named) and one.level == "status"
    )


def _waits(config: Config) -> Iterator[Waiting]:
    """The arms of the second lookup, the one that always matches at the end."""
    groups: dict[tuple[int, str, str, int], list[Threshold]] = {}
    for one in sorted(config.thresholds, key=lambda one: one.rank):
        place = (one.node, one.service) if one.rank == 0 else ("", "")
        groups.setdefault((one.rank, *place, one.seconds), []).append(one)
    arms = [Waiting(_arm_of(group), group[0].seconds) for group in groups.values()]
    # What would only say again what the last one says.
    while arms and arms[-1].seconds == config.threshold_s:
        arms.pop()
    yield from arms
    yield Waiting(Arm(""), config.threshold_s)


def _arm_of(group: list[Threshold]) -> Arm:
    names = {
        "node": {one.node for one in group if one.node},
        "service_id": {"" if one.service == NO_SERVICE else one.service for one in group}
        if group[0].rank == 0 or group[0].service
        else set(),
        "check": {one.check for one in group if one.check},
    }
    return Arm("", exact={name: frozenset(values) for name, values in names.items() if values})


def _pairs(
    chosen: Iterable[Chosen], waits: list[Waiting]
) -> Iterator[tuple[Chosen, Waiting, list[Mapping[str, str]]]]:
    for choice in chosen:
        # Where nobody is told, it does not matter after how long.
        for waiting in waits if choice.offer.notifiers else waits[-1:]:
            joined = _joined(choice.arm, waiting.arm)
            if joined is not None:
                yield choice, waiting, joined


def _joined(first: Arm, second: Arm) -> list[Mapping[str, str]] | None:
    """Matchers of what both arms mean, or None when that is nothing.

    Several, when the names of one matcher are too many for one pattern.
    """
    exact = {**first.exact}
    pattern = {**first.pattern}
    for name, values in second.exact.items():
        if name in exact:
            values = values & exact[name]
        elif name in pattern:
            wanted = pattern.pop(name)
            values = frozenset(one for one in values if re2.fullmatch(wanted, one))
        if not values:
            return None
        exact[name] = values
    found: list[Mapping[str, str]] = [pattern]
    for name, values in exact.items():
        several = patterns.any_of(patterns.literal(one) for one in sorted(values))
        found = [{**one, name: part} for one in found for part in several]
    return found


def _routes(
    choice: Chosen, waiting: Waiting, fields: list[Mapping[str, str]], cluster: str
) -> Iterator[PlannedRoute]:
    told = f"to {choice.offer.profile or 'all'}"
    wait = f", {waiting.seconds} s" if waiting.arm.exact else ""
    for one in fields:
        match: dict[str, object] = {"cluster": patterns.literal(cluster), **one}
        if choice.statuses:
            match["status"] = list(choice.statuses)
        yield PlannedRoute(
            label=f"{choice.arm.label} {told}{wait}",
            match=match,
            wait_s=waiting.seconds,
            remind_every_s=choice.offer.remind_every_s,
            notify_resolved=choice.notify_resolved,
            notifiers=choice.offer.notifiers,
        )

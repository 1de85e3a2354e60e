"""Routes in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consulops.alerts.models import Route
from consulops.core import windows
from consulops.core.times import in_words
from consulops.health.matching import METAS, PATTERNS, STATUSES
from consulops.notifiers.models import Notifier

# Patterns that match every name.
_ANYTHING = ("", ".*", "(.*)", "^.*$", ".*?")


@dataclass(frozen=True, slots=True)
class Term:
    """One matcher in words: what it looks at, and what that must be."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Words:
    """A route as the list of routes tells it."""

    route: Route
    terms: list[Term]
    statuses: str
    timing: list[str]
    notifiers: list[Notifier]
    # Those who are told when nobody acknowledges.
    next_ones: list[Notifier]
    # The route above that takes everything, so that this one is never tried.
    hidden_by: str = ""

    @property
    def tells_nobody(self) -> bool:
        """Whether an alert that it takes reaches no one."""
        return not any(notifier.enabled for notifier in self.notifiers)


def in_order(routes: Iterable[Route]) -> list[Words]:
    """The words for all routes, which come in their order with their notifiers."""
    found, taken_by = [], ""
    for route in routes:
        found.append(_words(route, taken_by if route.enabled else ""))
        if route.enabled and not route.continues and not taken_by and takes_everything(route):
            taken_by = route.name
    return found


def _words(route: Route, hidden_by: str) -> Words:
    return Words(
        route=route,
        terms=terms(route.match),
        statuses=_statuses(route),
        timing=list(_timing(route)),
        notifiers=list(route.notifiers.all()),
        next_ones=list(route.escalate_to.all()) if route.escalate_after_s else [],
        hidden_by=hidden_by,
    )


def terms(match: Mapping[str, Any]) -> list[Term]:
    """The matchers that leave anything out, in words."""
    found = [Term(name, match[name]) for name in PATTERNS if _restricts(match, name)]
    return found + [
        Term(f"{name.replace('_', ' ')} {key}", pattern)
        for name in METAS
        for key, pattern in match.get(name, {}).items()
    ]


def takes_everything(route: Route) -> bool:
    """Whether every failing check agrees with the route's matchers."""
    return not terms(route.match) and set(_chosen(route)) == set(STATUSES)


def _restricts(match: Mapping[str, Any], name: str) -> bool:
    return match.get(name, "") not in _ANYTHING


def _chosen(route: Route) -> list[str]:
    """The statuses that a route means; a route that names none means all."""
    named = route.match.get("status") or STATUSES
    return [status for status in STATUSES if status in named]


def _statuses(route: Route) -> str:
    chosen = _chosen(route)
    return "" if len(chosen) == len(STATUSES) else " or ".join(chosen)


def _timing(route: Route) -> Iterator[str]:
    if route.wait_s:
        yield f"once it has lasted {in_words(route.wait_s)}"
    else:
        yield "at once"
    if route.group_by:
        wait = f", waiting {in_words(route.group_wait_s)}" if route.group_wait_s else ""
        yield f"together by {', '.join(route.group_by)}{wait}"
        if route.group_interval_s:
            yield f"a group at most every {in_words(route.group_interval_s)}"
    for window in windows.parse(route.active_hours):
        yield f"only {window}"
    if route.remind_every_s:
        yield f"again every {in_words(route.remind_every_s)}"
    if route.escalate_after_s:
        yield f"to those who come next after {in_words(route.escalate_after_s)}"
    if not route.notify_resolved:
        yield "not when it is over"

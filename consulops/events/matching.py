"""Which events a handler means. Pure but for the rows that it is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consulops.events.models import EventHandler
from consulops.health.matching import BadMatch, Match, Subject, compile_match

# What a handler calls its patterns, and what they are among the matchers of checks.
FIELDS = {"name": "event_pattern", "cluster": "cluster_pattern"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A handler with its compiled patterns."""

    handler: EventHandler
    match: Match

    def means(self, event: str, cluster: str) -> bool:
        """Whether it runs for an event of this name in this cluster."""
        subject = Subject(
            cluster=cluster, service="", node="", check="", tags=(), status="", name=event
        )
        return not self.match.mismatch(subject)


def compiled(handler: EventHandler) -> Wanted:
    """The handler ready to be asked. Raises BadMatch, whose path is a key of FIELDS."""
    patterns = {matcher: getattr(handler, field) for matcher, field in FIELDS.items()}
    return Wanted(handler, compile_match(patterns))


def wanted(handlers: Iterable[EventHandler]) -> list[Wanted]:
    """Those of the handlers that can be asked: a pattern that no longer compiles means nothing."""
    found = []
    for handler in handlers:
        try:
            found.append(compiled(handler))
        except BadMatch:
            continue
    return found

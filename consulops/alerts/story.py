"""Why an alert was told, or was not: what each route decided, stage by stage, and every message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Prefetch, QuerySet
from django.utils import timezone

from consulops.alerts.evaluation import subject_of
from consulops.alerts.models import Alert, Attempt, Delivery, Notice, Route
from consulops.alerts.pipeline import Outcome
from consulops.alerts.rehearsal import Part
from consulops.alerts.table import Table
from consulops.notifiers.models import Notifier

# A delivery that is tried for a day has hundreds of attempts.
ATTEMPTS_SHOWN = 10

STAGES = {
    "match": "Matchers",
    "recipients": "Recipients",
    "silence": "Silence",
    "maintenance": "Maintenance",
    "inhibition": "Inhibition",
    "flapping": "Flapping",
    "news": "News",
    "wait": "Wait",
    "hours": "Active hours",
    "group": "Group",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage said of the alert. `until` is when a hold ends by itself."""

    stage: str
    outcome: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What one route decided about one alert."""

    name: str
    steps: list[Step]
    # None when the route was deleted.
    route: Route | None = None
    # Whom it would tell now; None when it tells nothing any more.
    notifiers: list[Notifier] | None = None
    said: str = ""
    said_at: datetime | None = None
    # When a reminder follows, once all stages have passed.
    again_at: datetime | None = None

    @property
    def means_it(self) -> bool:
        """Whether the route's matchers agree with the alert as it is."""
        return self.steps[0].outcome != Outcome.STOPPED

    @property
    def matters(self) -> bool:
        """Whether it has anything to say of the alert, or had."""
        return self.means_it or bool(self.said)


def stories(alert: Alert) -> list[Story]:
    """One story for each route that has decided about the alert or, while it lasts, could.

    In the order of the routes; those that were deleted or switched off since come last.
    """
    notices = {notice.route_id: notice for notice in alert.notices.select_related("route")}
    table = Table.load(timezone.now())
    reasons = table.mismatches(subject_of(alert, table)) if alert.is_open else {}
    found = []
    for route in table.routes:
        notice = notices.pop(route.pk, None)
        told = table.notifiers.get(route.pk, [])
        if notice is not None:
            found.append(_decided(notice, route, told))
        elif route.pk in reasons:
            found.append(Story(route.name, [_first_step(reasons[route.pk])], route, told))
    return found + [_decided(notice, notice.route, None) for notice in notices.values()]


def _first_step(mismatch: str) -> Step:
    if mismatch:
        return Step(STAGES["match"], Outcome.STOPPED, mismatch)
    return Step(STAGES["match"], Outcome.HELD, "nothing is decided yet")


def of_part(part: Part) -> Story:
    """The story of a rehearsal, with the word of every stage."""
    steps = [Step(STAGES[one.stage], one.outcome, one.reason, one.until) for one in part.verdicts]
    return Story(part.route.name, steps, part.route, list(part.notifiers))


def _decided(notice: Notice, route: Route | None, told: list[Notifier] | None) -> Story:
    steps = [
        Step(
            STAGES.get(verdict["stage"], verdict["stage"]),
            verdict["outcome"],
            verdict["reason"],
            notice.due_at if verdict["outcome"] == Outcome.HELD else None,
        )
        for verdict in notice.verdicts
    ]
    went_through = bool(steps) and steps[-1].outcome == Outcome.PASSED
    return Story(
        name=route.name if route else notice.route_name,
        steps=steps or [_first_step("")],
        route=route,
        notifiers=told,
        said=notice.said,
        said_at=notice.said_at,
        again_at=notice.due_at if went_through else None,
    )


def silence(alert: Alert, told: Sequence[Story]) -> str:
    """Why nobody will be told of an open alert, however long it lasts; empty when somebody is."""
    if not alert.is_open:
        return ""
    living = [story for story in told if story.notifiers is not None and story.means_it]
    if not living:
        return "No route matches: nobody is told."
    if not any(story.notifiers for story in living):
        return "The routes that match have no notifier that is switched on: nobody is told."
    return ""


def listed(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """As templates/alerts/_deliveries.html shows them: newest first, with their last attempts."""
    attempts = Attempt.objects.order_by("-id")[:ATTEMPTS_SHOWN]
    return (
        deliveries.defer("message")
        .annotate(alert_count=Count("alerts"))
        .prefetch_related(Prefetch("attempts", attempts, to_attr="last_attempts"))
        .order_by("-created_at", "-id")
    )

"""Runs the pipeline over alerts and writes what it decides: notices, and deliveries to send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from consulops.alerts.grouping import Groups, group_key
from consulops.alerts.messages import Letter, Outgoing
from consulops.alerts.models import Alert, Notice, Reason, Route
from consulops.alerts.pipeline import FLAPPING, Decision, Hold, Outcome, Situation, decide
from consulops.alerts.surroundings import Surroundings
from consulops.alerts.table import Table
from consulops.core import bulk, postgres
from consulops.health.matching import Subject
from consulops.live.services import publish

_CHUNK = 1000
_TOGETHER = "SELECT pg_advisory_xact_lock_shared(hashtext('consulops alerts'))"
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('consulops alerts'))"
_DECIDED = (
    *("said", "said_at", "told_at", "escalated_at", "due_at", "verdicts", "decided_at"),
    *("group_key", "group_since", "route_name"),
)


@dataclass(slots=True)
class Batch:
    """What one evaluation knows besides its alerts, and what it is about to write."""

    now: datetime
    table: Table
    around: Surroundings
    groups: Groups
    notices: list[Notice] = field(default_factory=list)
    outgoing: Outgoing = field(default_factory=Outgoing)


def evaluate(
    alerts: Sequence[Alert], now: datetime, *, fresh: bool = False, table: Table | None = None
) -> None:
    """Decides about these alerts, whose rows the caller's transaction has locked.

    The alerts must have their check and cluster loaded. `fresh`: they were made just now, so
    nothing was decided about them before.
    """
    if not alerts:
        return
    table = table or Table.load(now)
    known = {} if fresh else _known_notices(alerts)
    groups = Groups.of(known.values(), alerts, table.routes)
    batch = Batch(now, table, Surroundings.of(alerts, table), groups)
    for alert in alerts:
        _consider(batch, alert, known)
    _write(batch)


def _known_notices(alerts: Sequence[Alert]) -> dict[tuple[int, int | None], Notice]:
    rows = Notice.objects.filter(alert__in=alerts, route__isnull=False)
    return {(notice.alert_id, notice.route_id): notice for notice in rows}


def _consider(batch: Batch, alert: Alert, known: dict[tuple[int, int | None], Notice]) -> None:
    """Decides about one alert on each route that means it, or has spoken of it."""
    subject = batch.around.subject(alert.check_ref, alert.cluster, alert.status)
    mismatches = batch.table.mismatches(subject)
    silence = batch.table.silence(subject)
    for route in batch.table.routes:
        notice = known.get((alert.pk, route.pk))
        if mismatches[route.pk] and notice is None:
            continue
        notice = notice or Notice(alert=alert, route=route, route_name=route.name)
        notice.group_key = group_key(route, alert)
        view = situation(batch, alert, route, notice, mismatches[route.pk], silence)
        _decide(batch, alert, route, notice, decide(view))


def situation(
    batch: Batch, alert: Alert, route: Route, notice: Notice, mismatch: str, silence: Hold
) -> Situation:
    """The alert as the route sees it."""
    place = route.pk, notice.group_key
    return Situation(
        now=batch.now,
        terms=batch.table.terms(route),
        status=alert.status,
        since=alert.flapping_since or alert.since,
        mismatch=mismatch,
        silence=silence,
        maintenance=batch.around.maintenance(alert.check_ref),
        inhibition=batch.around.inhibition(alert.check_ref),
        stable_at=alert.stable_at,
        asleep_until=batch.table.asleep_until.get(route.pk),
        acknowledged_by=_acknowledged_by(alert),
        said=notice.said,
        said_at=notice.said_at,
        told_at=notice.told_at,
        escalated_at=notice.escalated_at,
        group_since=batch.groups.since.get(place),
        group_said_at=batch.groups.said_at.get(place),
    )


def _decide(batch: Batch, alert: Alert, route: Route, notice: Notice, decision: Decision) -> None:
    now = batch.now
    notice.verdicts, notice.due_at, notice.decided_at = decision.told(), decision.due_at, now
    notice.group_since = (notice.group_since or now) if _waits_for_group(decision) else None
    if decision.reason is not None:
        _note_told(notice, alert, decision.reason, now)
        # The check's, not the alert's: no recovery may overtake the next failure either.
        lane = notice.group_key or str(alert.check_ref_id)
        letter = Letter(route, lane, decision.reason, notice.escalated_at is not None)
        batch.outgoing.alerts[letter].append(alert)
    batch.notices.append(notice)


def _note_told(notice: Notice, alert: Alert, reason: Reason, now: datetime) -> None:
    if reason is Reason.ESCALATED:
        notice.escalated_at = now
        return
    notice.said = FLAPPING if reason is Reason.FLAPPING else alert.status
    notice.said_at, notice.told_at = now, notice.told_at or now


def _waits_for_group(decision: Decision) -> bool:
    last = decision.verdicts[-1]
    return last.stage == "group" and last.outcome is Outcome.HELD


def _acknowledged_by(alert: Alert) -> str:
    if alert.acknowledged_at is None:
        return ""
    return alert.acknowledged_by.username if alert.acknowledged_by else "somebody"


def subject_of(alert: Alert, table: Table) -> Subject:
    """What the matchers of routes and silences look at."""
    around = Surroundings.of([alert], table)
    return around.subject(alert.check_ref, alert.cluster, alert.status)


def _write(batch: Batch) -> None:
    known = [notice for notice in batch.notices if notice.pk is not None]
    bulk.insert([notice for notice in batch.notices if notice.pk is None])
    bulk.update(known, _DECIDED)
    if batch.outgoing.write(batch.now, batch.table):
        postgres.notify(postgres.DELIVERIES)
    if any(notice.due_at for notice in batch.notices):
        postgres.notify(postgres.NOTICES)
    publish("alerts")


def next_due() -> datetime | None:
    """When the pipeline must look at an alert again without a change of its check."""
    waiting = Notice.objects.filter(due_at__isnull=False, route__enabled=True)
    due_at = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    resting = Alert.objects.filter(stable_at__isnull=False)
    stable_at = resting.order_by("stable_at").values_list("stable_at", flat=True).first()
    return min((when for when in (due_at, stable_at) if when), default=None)


def due(now: datetime, limit: int = _CHUNK) -> list[Alert]:
    """The alerts that have rested or that the pipeline must look at again by now, locked.

    A notice whose group's wait is over brings the whole group.
    """
    ready = Notice.objects.filter(due_at__lte=now, route__enabled=True).order_by("due_at")[:limit]
    rows = list(ready.values_list("alert_id", "route_id", "group_key", "group_since"))
    found = {alert for alert, *_ in rows}
    found.update(Alert.objects.filter(stable_at__lte=now).values_list("pk", flat=True))
    for route, key in {(route, key) for _, route, key, since in rows if since is not None}:
        members = Notice.objects.filter(route=route, group_key=key, group_since__isnull=False)
        found.update(members.values_list("alert", flat=True))
    # All at once: who locks some and then others stands in the way of who does it the other way.
    return lock(Alert.objects.filter(pk__in=found)) if found else []


def hold(*, alone: bool = False) -> None:
    """Keeps what decisions rest on as it is until the caller's transaction ends.

    Decisions are made together; who changes what they rest on (a route, a silence, what is in
    maintenance) is `alone`. Else an alert that opens at that moment would be decided by what was
    before, and the change would not see it: nobody would look at it again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ALONE if alone else _TOGETHER)


def lock(alerts: QuerySet[Alert]) -> list[Alert]:
    """These alerts as they are now, locked in a fixed order, with check and cluster loaded."""
    return list(
        alerts.select_related("check_ref", "cluster", "acknowledged_by")
        .select_for_update(of=("self",))
        .order_by("pk")
    )

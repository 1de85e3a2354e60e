"""Runs the pipeline over alerts and writes what it decides: notices, and deliveries to send."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse

from consulops.alerts.models import Alert, Delivery, Notice, Reason, Route
from consulops.alerts.pipeline import Decision, Outcome, Situation, Terms, decide
from consulops.core import postgres
from consulops.core.status import Status
from consulops.health.matching import Match, Subject, compile_match
from consulops.health.models import Check
from consulops.live.services import publish
from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.models import Notifier

_CHUNK = 1000


@dataclass(slots=True)
class Table:
    """The routes in order, compiled, with their notifiers."""

    routes: list[Route]
    matches: dict[int, Match]
    notifiers: dict[int, list[Notifier]]

    @classmethod
    def load(cls) -> Table:
        """The routes that are switched on, with their notifiers that are; in two queries."""
        routes = list(Route.objects.filter(enabled=True).order_by("position", "id"))
        notifiers: defaultdict[int, list[Notifier]] = defaultdict(list)
        links = Route.notifiers.through.objects.filter(
            route__enabled=True, notifier__enabled=True
        ).select_related("notifier")
        for link in links.order_by("notifier_id"):
            notifiers[link.route_id].append(link.notifier)
        return cls(routes, {route.pk: compile_match(route.match) for route in routes}, notifiers)

    def mismatches(self, subject: Subject) -> dict[int, str]:
        """For each route why it does not speak for the subject; empty text: it does."""
        taken_by, reasons = "", {}
        for route in self.routes:
            if taken_by:
                reasons[route.pk] = f"the route {taken_by} comes first"
                continue
            reasons[route.pk] = self.matches[route.pk].mismatch(subject)
            if not reasons[route.pk] and not route.continues:
                taken_by = route.name
        return reasons


@dataclass(slots=True)
class Batch:
    """What one evaluation knows besides its alerts, and what it is about to write."""

    now: datetime
    resting: dict[int, str]
    group_starts: dict[tuple[int, str], datetime]
    notices: list[Notice] = field(default_factory=list)
    # (route, group, reason) to the alerts of one message.
    messages: defaultdict[tuple[int, str, Reason], list[Alert]] = field(
        default_factory=lambda: defaultdict(list)
    )


def evaluate(alerts: Sequence[Alert], now: datetime, *, fresh: bool = False) -> None:
    """Decides about these alerts, whose rows the caller's transaction has locked.

    The alerts must have their check and cluster loaded. `fresh`: they were made just now, so
    nothing was decided about them before.
    """
    if not alerts:
        return
    table = Table.load()
    known = {} if fresh else _known_notices(alerts)
    batch = Batch(now, _in_maintenance(alerts), _group_starts(known.values()))
    for alert in alerts:
        reasons = table.mismatches(subject_of(alert))
        for route in table.routes:
            notice = known.get((alert.pk, route.pk))
            if reasons[route.pk] and notice is None:
                continue
            notice = notice or Notice(alert=alert, route=route, route_name=route.name)
            notice.group_key = group_key(route, alert)
            offer = terms(route, bool(table.notifiers.get(route.pk)))
            _decide(batch, alert, offer, notice, reasons[route.pk])
    _write(batch, table)


def _known_notices(alerts: Sequence[Alert]) -> dict[tuple[int, int | None], Notice]:
    rows = Notice.objects.filter(alert__in=alerts, route__isnull=False)
    return {(notice.alert_id, notice.route_id): notice for notice in rows}


def _decide(batch: Batch, alert: Alert, offer: Terms, notice: Notice, mismatch: str) -> None:
    now = batch.now
    situation = Situation(
        now=now,
        terms=offer,
        status=alert.status,
        since=alert.since,
        mismatch=mismatch,
        maintenance=batch.resting.get(alert.pk, ""),
        acknowledged_by=_acknowledged_by(alert),
        said=notice.said,
        said_at=notice.said_at,
        group_since=batch.group_starts.get((notice.route_id or 0, notice.group_key)),
    )
    decision = decide(situation)
    notice.verdicts, notice.due_at, notice.decided_at = decision.told(), decision.due_at, now
    notice.group_since = (notice.group_since or now) if _waits_for_group(decision) else None
    if decision.reason is not None:
        notice.said, notice.said_at = alert.status, now
        lane = notice.group_key or str(alert.pk)
        batch.messages[notice.route_id or 0, lane, decision.reason].append(alert)
    batch.notices.append(notice)


def _group_starts(notices: Iterable[Notice]) -> dict[tuple[int, str], datetime]:
    """Since when each group waits: its first alert's time speaks for all of them."""
    starts: dict[tuple[int, str], datetime] = {}
    for notice in notices:
        if notice.route_id is not None and notice.group_since is not None:
            place = notice.route_id, notice.group_key
            starts[place] = min(starts.get(place, notice.group_since), notice.group_since)
    return starts


def terms(route: Route, has_recipients: bool) -> Terms:
    """The route's part of a situation."""
    return Terms(
        wait_s=route.wait_s,
        remind_every_s=route.remind_every_s,
        notify_resolved=route.notify_resolved,
        grouped=bool(route.group_by),
        group_wait_s=route.group_wait_s,
        has_recipients=has_recipients,
    )


def group_key(route: Route, alert: Alert) -> str:
    """The group of an alert: the same for alerts that agree in everything the route groups by.

    A group never spans clusters: a message names one.
    """
    if not route.group_by:
        return ""
    check = alert.check_ref
    values = {"service": check.service, "node": check.node, "check": check.check_id}
    shared = [values[name] for name in sorted(values) if name in route.group_by]
    text = "\x00".join([str(alert.cluster_id), *shared])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _waits_for_group(decision: Decision) -> bool:
    last = decision.verdicts[-1]
    return last.stage == "group" and last.outcome is Outcome.HELD


def _acknowledged_by(alert: Alert) -> str:
    if alert.acknowledged_at is None:
        return ""
    return alert.acknowledged_by.username if alert.acknowledged_by else "somebody"


def subject_of(alert: Alert) -> Subject:
    """What the matchers of routes look at."""
    check = alert.check_ref
    return Subject(
        cluster=alert.cluster.name,
        service=check.service,
        node=check.node,
        check=check.check_id,
        tags=tuple(check.tags),
        status=alert.status,
    )


def _in_maintenance(alerts: Sequence[Alert]) -> dict[int, str]:
    """For each alert whose node or service is in Consul's maintenance mode, the words for it."""
    nodes = {alert.check_ref.node for alert in alerts}
    rows = Check.objects.filter(
        cluster__in={alert.cluster_id for alert in alerts},
        node__in=nodes,
        status=Status.MAINTENANCE,
    ).values_list("cluster_id", "node", "service_id")
    places = set(rows)
    resting = {}
    for alert in alerts:
        check = alert.check_ref
        if (alert.cluster_id, check.node, "") in places:
            resting[alert.pk] = f"the node {check.node} is in maintenance"
        elif check.service_id and (alert.cluster_id, check.node, check.service_id) in places:
            resting[alert.pk] = f"the service {check.service_id} is in maintenance"
    return resting


def _write(batch: Batch, table: Table) -> None:
    Notice.objects.bulk_create(
        batch.notices,
        update_conflicts=True,
        unique_fields=("alert", "route"),
        update_fields=(
            *("said", "said_at", "due_at", "verdicts", "decided_at"),
            *("group_key", "group_since", "route_name"),
        ),
        batch_size=_CHUNK,
    )
    routes = {route.pk: route for route in table.routes}
    deliveries, links = [], []
    for (route_pk, lane, reason), alerts in batch.messages.items():
        route = routes[route_pk]
        facts = tuple(facts_of(alert) for alert in alerts)
        for notifier in table.notifiers[route_pk]:
            delivery = _delivery(batch.now, route, notifier, lane, reason, facts)
            deliveries.append(delivery)
            links += [(delivery, alert) for alert in alerts]
    if deliveries:
        Delivery.objects.bulk_create(deliveries, batch_size=_CHUNK)
        through = Delivery.alerts.through
        through.objects.bulk_create(
            [through(delivery=delivery, alert=alert) for delivery, alert in links],
            batch_size=_CHUNK,
        )
        postgres.notify(postgres.DELIVERIES)
    if any(notice.due_at for notice in batch.notices):
        postgres.notify(postgres.NOTICES)
    publish("alerts")


def _delivery(
    now: datetime,
    route: Route,
    notifier: Notifier,
    lane: str,
    reason: Reason,
    facts: tuple[AlertFacts, ...],
) -> Delivery:
    delivery = Delivery(
        notifier=notifier,
        notifier_name=notifier.name,
        route_name=route.name,
        reason=reason,
        lane=f"{notifier.pk}:{route.pk}:{lane}",
        created_at=now,
        next_attempt_at=now,
    )
    delivery.message = Message(
        id=str(delivery.key),
        reason=reason.value,
        cluster=facts[0].cluster,
        route=route.name,
        alerts=facts,
    ).to_dict()
    return delivery


def facts_of(alert: Alert) -> AlertFacts:
    """What a message says of an alert."""
    check = alert.check_ref
    return AlertFacts(
        id=alert.pk,
        url=settings.URL + reverse("alerts:detail", args=(alert.pk,)),
        check=check.check_id,
        status=alert.status,
        previous=alert.previous,
        node=check.node,
        service=check.service,
        service_id=check.service_id,
        name=check.name,
        output=check.output,
        tags=list(check.tags),
        since=alert.since,
        cluster=alert.cluster.name,
    )


def next_due() -> datetime | None:
    """When the pipeline must look at an alert again without a change of its check."""
    waiting = Notice.objects.filter(due_at__isnull=False, route__enabled=True)
    return waiting.order_by("due_at").values_list("due_at", flat=True).first()


def due(now: datetime, limit: int = _CHUNK) -> list[Alert]:
    """The alerts that the pipeline must look at again by now, locked.

    A notice whose group's wait is over brings the whole group.
    """
    ready = Notice.objects.filter(due_at__lte=now, route__enabled=True).order_by("due_at")[:limit]
    rows = list(ready.values_list("alert_id", "route_id", "group_key", "group_since"))
    condition = Q(pk__in={alert for alert, *_ in rows})
    for route, key in {(route, key) for _, route, key, since in rows if since is not None}:
        members = Notice.objects.filter(route=route, group_key=key, group_since__isnull=False)
        condition |= Q(pk__in=members.values("alert"))
    return lock(Alert.objects.filter(condition)) if rows else []


def lock(alerts: QuerySet[Alert]) -> list[Alert]:
    """These alerts as they are now, locked in a fixed order, with check and cluster loaded."""
    return list(
        alerts.select_related("check_ref", "cluster", "acknowledged_by")
        .select_for_update(of=("self",))
        .order_by("pk")
    )

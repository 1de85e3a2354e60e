"""Every write to alerts and routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.alerts import evaluation
from consulops.alerts.models import WAITING, Alert, Delivery, Route
from consulops.core.batches import delete_in_batches
from consulops.core.status import FAILING, LOOKS, Status, parse
from consulops.health.matching import compile_match
from consulops.health.models import Transition
from consulops.live.services import publish
from consulops.notifiers.models import Notifier

ROUTE_FIELDS = (
    *("enabled", "match", "wait_s", "remind_every_s", "group_by", "group_wait_s"),
    *("notify_resolved", "continues"),
)
_CHUNK = 1000


def on_transitions(sender: type[Transition], transitions: Sequence[Transition], **_: Any) -> None:
    """Opens, moves and resolves the alerts of these changes and decides whom to tell.

    Runs inside the transaction that records the changes.
    """
    # The last word of each check counts: one batch may hold two changes of the same check.
    last = {transition.check_ref_id: transition for transition in transitions}
    present = evaluation.lock(Alert.objects.filter(check_ref__in=last, resolved_at__isnull=True))
    taken = {alert.check_ref_id for alert in present}
    fresh = _open([one for pk, one in last.items() if pk not in taken])
    moved = _move(present, last)
    freed = _freed_from_maintenance(transitions, {alert.pk for alert in moved})
    evaluation.evaluate(fresh, timezone.now(), fresh=True)
    evaluation.evaluate(moved + freed, timezone.now())


def _move(alerts: Sequence[Alert], last: Mapping[int, Transition]) -> list[Alert]:
    """Those of the alerts whose check has changed, with its new status; what ended is resolved."""
    # "Unknown" is neither worse nor over: the alert stays as it is.
    moved = [
        alert
        for alert in alerts
        if last[alert.check_ref_id].status not in (alert.status, Status.UNKNOWN)
    ]
    for alert in moved:
        transition = last[alert.check_ref_id]
        alert.previous, alert.status = alert.status, transition.status
        alert.since = transition.at
        if parse(transition.status) in (Status.PASSING, Status.GONE):
            alert.resolved_at = transition.at
        else:
            alert.rank = LOOKS[parse(transition.status)].rank
    # All of these rows exist. For hundreds of them bulk_update costs ten times as much.
    Alert.objects.bulk_create(
        moved,
        update_conflicts=True,
        unique_fields=("pk",),
        update_fields=("previous", "status", "since", "resolved_at", "rank"),
        batch_size=_CHUNK,
    )
    return moved


def _open(transitions: Sequence[Transition]) -> list[Alert]:
    alerts = [
        Alert(
            cluster=transition.cluster,
            check_ref=transition.check_ref,
            status=transition.status,
            previous=transition.previous,
            rank=LOOKS[parse(transition.status)].rank,
            since=transition.at,
            opened_at=transition.at,
        )
        for transition in transitions
        if transition.status in FAILING
    ]
    return Alert.objects.bulk_create(alerts, batch_size=_CHUNK)


def _freed_from_maintenance(transitions: Sequence[Transition], known: set[int]) -> list[Alert]:
    """The open alerts of nodes and services whose maintenance began or ended just now."""
    places = Q()
    for transition in transitions:
        if Status.MAINTENANCE in (transition.status, transition.previous):
            check = transition.check_ref
            place = Q(cluster=transition.cluster_id, check_ref__node=check.node)
            if check.service_id:
                place &= Q(check_ref__service_id=check.service_id)
            places |= place
    if not places:
        return []
    open_alerts = Alert.objects.filter(places, resolved_at__isnull=True).exclude(pk__in=known)
    return evaluation.lock(open_alerts)


def evaluate_due() -> int:
    """Looks again at every alert whose wait, group's wait or reminder is over; returns how many."""
    with transaction.atomic():
        now = timezone.now()
        alerts = evaluation.due(now)
        evaluation.evaluate(alerts, now)
    return len(alerts)


def acknowledge(actor: Actor, alerts: Sequence[Alert], comment: str) -> list[Alert]:
    """Says that somebody looks after these open alerts, which ends reminders; returns those."""
    with transaction.atomic():
        taken = evaluation.lock(
            Alert.objects.filter(
                pk__in=[alert.pk for alert in alerts],
                resolved_at__isnull=True,
                acknowledged_at__isnull=True,
            )
        )
        now = timezone.now()
        for alert in taken:
            alert.acknowledged_at, alert.acknowledged_by = now, actor.user
            alert.comment = comment
            record(actor, "alert.acknowledged", alert, {"comment": comment} if comment else {})
        Alert.objects.bulk_update(taken, ("acknowledged_at", "acknowledged_by", "comment"))
        publish("alerts")
    return taken


def unacknowledge(actor: Actor, alert: Alert) -> None:
    """Takes an acknowledgement back: reminders go on."""
    with transaction.atomic():
        rows = evaluation.lock(
            Alert.objects.filter(
                pk=alert.pk, resolved_at__isnull=True, acknowledged_at__isnull=False
            )
        )
        for row in rows:
            row.acknowledged_at, row.acknowledged_by, row.comment = None, None, ""
            row.save(update_fields=("acknowledged_at", "acknowledged_by", "comment"))
            record(actor, "alert.unacknowledged", row, {})
        evaluation.evaluate(rows, timezone.now())
        publish("alerts")


def save_route(
    actor: Actor,
    name: str,
    values: Mapping[str, Any],
    notifiers: Sequence[Notifier],
    route: Route | None = None,
) -> tuple[Route, list[str]]:
    """Makes or changes a route; returns it and the names of what changed ("created" for a new one).

    `values` may hold any of ROUTE_FIELDS and `position`. Open alerts that the route now speaks
    for are told at once. Raises BadMatch.
    """
    compile_match(values.get("match", route.match if route else {}))
    with transaction.atomic():
        before = _snapshot(route)
        is_new = route is None
        route = route or Route(position=_last_position() + 1)
        route.name = name
        for field in (*ROUTE_FIELDS, "position"):
            if field in values:
                setattr(route, field, values[field])
        route.save()
        route.notifiers.set(notifiers)
        changes = changed_fields(before, _snapshot(route), frozenset())
        if changes:
            action = "route.created" if is_new else "route.updated"
            record(actor, action, route, {"changed": changes})
            look_again()
            publish("routes")
    changed = ["created"] if is_new else list(changes)
    return route, changed


def look_again() -> None:
    """Decides anew about every open alert: a route or what it means has changed."""
    alerts = evaluation.lock(Alert.objects.filter(resolved_at__isnull=True))
    evaluation.evaluate(alerts, timezone.now())


def _snapshot(route: Route | None) -> dict[str, Any]:
    if route is None or route.pk is None:
        return {}
    values = {field: getattr(route, field) for field in ("name", "position", *ROUTE_FIELDS)}
    values["notifiers"] = sorted(route.notifiers.values_list("name", flat=True))
    return values


def _last_position() -> int:
    return Route.objects.aggregate(last=Max("position"))["last"] or 0


def delete_route(actor: Actor, route: Route) -> None:
    """Removes a route; what it has told stays in the history."""
    with transaction.atomic():
        record(actor, "route.deleted", route, {})
        route.delete()
        look_again()
        publish("routes")


def move_route(actor: Actor, route: Route, up: bool) -> None:
    """Swaps a route with the one before or after it."""
    with transaction.atomic():
        order = list(Route.objects.select_for_update())
        place = order.index(route)
        other = place - 1 if up else place + 1
        if not 0 <= other < len(order):
            return
        order[place], order[other] = order[other], order[place]
        for position, one in enumerate(order, start=1):
            one.position = position
        Route.objects.bulk_update(order, ("position",))
        record(
            actor,
            "route.moved",
            route,
            {"changed": {"position": {"from": place + 1, "to": other + 1}}},
        )
        look_again()
        publish("routes")


def prune(now: datetime) -> dict[str, int]:
    """Removes ended alerts and messages beyond their retention; returns what went."""
    limit = now - timedelta(days=settings.RETENTION_DAYS)
    old = {
        "deliveries": Delivery.objects.exclude(state__in=WAITING).filter(created_at__lt=limit),
        "alerts": Alert.objects.filter(resolved_at__lt=limit),
    }
    return {name: delete_in_batches(rows) for name, rows in old.items()}

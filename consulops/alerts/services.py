"""What people write: acknowledgements, routes, and what is noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.alerts import evaluation, lifecycle
from consulops.alerts.models import WAITING, Alert, Delivery, Noise, Route
from consulops.core import windows
from consulops.core.batches import delete_in_batches
from consulops.health.matching import compile_match
from consulops.live.services import publish
from consulops.notifiers.models import Notifier

ROUTE_FIELDS = (
    *("enabled", "match", "wait_s", "remind_every_s", "group_by", "group_wait_s"),
    *("group_interval_s", "active_hours", "escalate_after_s"),
    *("notify_resolved", "continues"),
)
_CHUNK = 1000


def acknowledge(actor: Actor, alerts: Sequence[Alert], comment: str) -> list[Alert]:
    """Says that somebody looks after these open alerts, which ends reminders; returns those."""
    with transaction.atomic():
        evaluation.hold()
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
        evaluation.hold()
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
    escalate_to: Sequence[Notifier] | None = None,
) -> tuple[Route, list[str]]:
    """Makes or changes a route; returns it and the names of what changed ("created" for a new one).

    `values` may hold any of ROUTE_FIELDS and `position`; without `escalate_to` those who come next
    stay. Open alerts that the route now speaks for are told at once. Raises BadMatch, BadWindow.
    """
    compile_match(values.get("match", route.match if route else {}))
    windows.parse(values.get("active_hours", route.active_hours if route else []))
    with transaction.atomic():
        # First of all: whoever decides about alerts waits for no route that is locked here.
        evaluation.hold(alone=True)
        before = _snapshot(route)
        is_new = route is None
        route = route or Route(position=_last_position() + 1)
        route.name = name
        for field in (*ROUTE_FIELDS, "position"):
            if field in values:
                setattr(route, field, values[field])
        route.save()
        route.notifiers.set(notifiers)
        if escalate_to is not None:
            route.escalate_to.set(escalate_to)
        changes = changed_fields(before, _snapshot(route), frozenset())
        if changes:
            action = "route.created" if is_new else "route.updated"
            record(actor, action, route, {"changed": changes})
            lifecycle.look_again()
            publish("routes")
    changed = ["created"] if is_new else list(changes)
    return route, changed


def _snapshot(route: Route | None) -> dict[str, Any]:
    if route is None or route.pk is None:
        return {}
    values = {field: getattr(route, field) for field in ("name", "position", *ROUTE_FIELDS)}
    for told in ("notifiers", "escalate_to"):
        values[told] = sorted(getattr(route, told).values_list("name", flat=True))
    return values


def _last_position() -> int:
    return Route.objects.aggregate(last=Max("position"))["last"] or 0


def delete_route(actor: Actor, route: Route) -> None:
    """Removes a route; what it has told stays in the history."""
    with transaction.atomic():
        evaluation.hold(alone=True)
        record(actor, "route.deleted", route, {})
        route.delete()
        lifecycle.look_again()
        publish("routes")


def move_route(actor: Actor, route: Route, up: bool) -> None:
    """Swaps a route with the one before or after it."""
    order = list(Route.objects.values_list("pk", flat=True))
    place_route(actor, route, order.index(route.pk) + (-1 if up else 1))


def place_route(actor: Actor, route: Route, place: int) -> None:
    """Puts a route at this place of the order, the first is 0; one beyond the ends does nothing."""
    with transaction.atomic():
        evaluation.hold(alone=True)
        order = list(Route.objects.select_for_update())
        before = order.index(route)
        if not 0 <= place < len(order) or place == before:
            return
        order.insert(place, order.pop(before))
        for position, one in enumerate(order, start=1):
            one.position = position
        Route.objects.bulk_update(order, ("position",))
        moved = {"position": {"from": before + 1, "to": place + 1}}
        record(actor, "route.moved", route, {"changed": moved})
        lifecycle.look_again()
        publish("routes")


def save_noise(actor: Actor, values: Mapping[str, Any]) -> list[str]:
    """Changes what is noise and decides anew about every open alert; names what changed."""
    with transaction.atomic():
        evaluation.hold(alone=True)
        noise = Noise.objects.select_for_update().first() or Noise()
        before = {name: getattr(noise, name) for name in values}
        for name, value in values.items():
            setattr(noise, name, value)
        changes = changed_fields(before, values, frozenset())
        if changes:
            noise.save()
            record(actor, "noise.updated", noise, {"changed": changes})
            lifecycle.look_again()
            publish("routes")
    return list(changes)


def prune(now: datetime) -> dict[str, int]:
    """Removes ended alerts and messages beyond their retention; returns what went."""
    limit = now - timedelta(days=settings.RETENTION_DAYS)
    old = {
        "deliveries": Delivery.objects.exclude(state__in=WAITING).filter(created_at__lt=limit),
        "alerts": Alert.objects.filter(resolved_at__lt=limit),
    }
    return {name: delete_in_batches(rows) for name, rows in old.items()}

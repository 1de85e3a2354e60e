"""Makes the messages that the pipeline decided on: deliveries, each linked to its alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from consulops.alerts.models import Alert, Delivery, Reason, Route
from consulops.alerts.table import Table
from consulops.core import bulk
from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.models import Notifier


@dataclass(frozen=True, slots=True)
class Letter:
    """What the alerts of one message have in common."""

    route: Route
    # The group's key, or the check's own: messages of one lane keep their order.
    lane: str
    reason: Reason
    # Whether those who come next hear it as well.
    escalated: bool = False


@dataclass(slots=True)
class Outgoing:
    """The messages of one evaluation."""

    alerts: defaultdict[Letter, list[Alert]] = field(default_factory=lambda: defaultdict(list))

    def write(self, now: datetime, table: Table) -> int:
        """Stores a delivery for each message and notifier; returns how many."""
        deliveries, links = [], []
        # Ends first: a check that failed anew has an earlier alert whose end may be told with it.
        ordered = sorted(self.alerts.items(), key=lambda one: one[0].reason is not Reason.RESOLVED)
        for letter, alerts in ordered:
            facts = tuple(facts_of(alert) for alert in alerts)
            for notifier in _told(letter, table):
                delivery = _delivery(now, letter, notifier, facts)
                deliveries.append(delivery)
                links += [(delivery, alert) for alert in alerts]
        bulk.insert(deliveries)
        through = Delivery.alerts.through
        bulk.insert([through(delivery=delivery, alert=alert) for delivery, alert in links])
        return len(deliveries)


def _told(letter: Letter, table: Table) -> Iterable[Notifier]:
    """Who gets the message: an escalation is for those who come next alone."""
    usual = table.notifiers.get(letter.route.pk, [])
    next_ones = table.escalations.get(letter.route.pk, [])
    if letter.reason is Reason.ESCALATED:
        return next_ones
    return {one.pk: one for one in (*usual, *(next_ones if letter.escalated else ()))}.values()


def _delivery(
    now: datetime, letter: Letter, notifier: Notifier, facts: tuple[AlertFacts, ...]
) -> Delivery:
    delivery = Delivery(
        notifier=notifier,
        notifier_name=notifier.name,
        route_name=letter.route.name,
        reason=letter.reason,
        lane=f"{notifier.pk}:{letter.route.pk}:{letter.lane}",
        created_at=now,
        next_attempt_at=now,
    )
    delivery.message = Message(
        id=str(delivery.key),
        reason=letter.reason.value,
        cluster=facts[0].cluster,
        route=letter.route.name,
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

"""What people do with alerts and messages besides acknowledging: comment, silence, send again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from consulops.accounts.audit import Actor, record
from consulops.alerts import services
from consulops.alerts.models import WAITING, Alert, Comment, Delivery, DeliveryState
from consulops.core import postgres
from consulops.live.services import publish
from consulops.silences import services as silences
from consulops.silences.guards import Wanted
from consulops.silences.models import Silence
from consulops.silences.words import exact

QUIET_FOR = timedelta(hours=1)
# As many failed messages as one press sends again.
RETRIED_AT_ONCE = 5000


def comment(actor: Actor, alerts: Sequence[Alert], text: str) -> list[Comment]:
    """Writes the same words to each of these alerts."""
    with transaction.atomic():
        now = timezone.now()
        comments = Comment.objects.bulk_create(
            Comment(alert=alert, at=now, author=actor.user, author_name=actor.name[:150], text=text)
            for alert in alerts
        )
        for alert in alerts:
            record(actor, "alert.commented", alert, {"comment": text})
        publish("alerts")
    return comments


def unacknowledge(actor: Actor, alerts: Sequence[Alert]) -> int:
    """Takes the acknowledgements of these alerts back; returns how many there were."""
    with transaction.atomic():
        taken = [alert for alert in alerts if alert.is_open and alert.acknowledged_at]
        for alert in taken:
            services.unacknowledge(actor, alert)
    return len(taken)


def silence(actor: Actor, alerts: Sequence[Alert], text: str) -> list[Silence]:
    """Keeps these checks quiet for an hour, each by a silence of its own that means no other."""
    now = timezone.now()
    wanted = [
        Wanted(
            match=exact(
                cluster=alert.cluster.name,
                node=alert.check_ref.node,
                check=alert.check_ref.check_id,
            ),
            comment=text or f"Alert {alert.pk}: {alert.label}",
            starts_at=now,
            ends_at=now + QUIET_FOR,
            windows=[],
        )
        for alert in alerts
    ]
    return silences.create_many(actor, wanted)


def overtaken(deliveries: Sequence[Delivery]) -> set[int]:
    """Those of these messages after which their receiver has already got newer news.

    To send one of them again would tell of what is no longer so.
    """
    lanes = {delivery.lane for delivery in deliveries}
    sent = Delivery.objects.filter(lane__in=lanes, state=DeliveryState.SENT)
    last = dict(sent.order_by().values_list("lane").annotate(Max("id")))
    return {one.pk for one in deliveries if last.get(one.lane, 0) > one.pk}


def retry(actor: Actor, delivery: Delivery) -> bool:
    """Sends a message again now, under its key; False when it was sent or its notifier is gone."""
    with transaction.atomic():
        unsent = (*WAITING, DeliveryState.FAILED)
        rows = _locked(_addressed(Delivery.objects.filter(pk=delivery.pk, state__in=unsent)))
        for row in rows:
            record(actor, "delivery.retried", row, {"state": row.state})
        _queue(rows)
    return bool(rows)


def retry_failed(actor: Actor, deliveries: QuerySet[Delivery]) -> int:
    """Sends the failed ones of these again, oldest first; returns how many.

    Those that newer news have overtaken stay as they are.
    """
    with transaction.atomic():
        failed = _locked(_addressed(deliveries.filter(state=DeliveryState.FAILED)), RETRIED_AT_ONCE)
        late = overtaken(failed)
        rows = [row for row in failed if row.pk not in late]
        if rows:
            names = sorted({row.notifier_name for row in rows})
            record(actor, "delivery.retried_all", None, {"count": len(rows), "notifiers": names})
        _queue(rows)
    return len(rows)


def give_up(actor: Actor, delivery: Delivery) -> bool:
    """Stops trying to send a message, so that later ones need not wait; False when it was over."""
    with transaction.atomic():
        rows = _locked(Delivery.objects.filter(pk=delivery.pk, state__in=WAITING))
        for row in rows:
            record(actor, "delivery.given_up", row, {"attempts": row.attempt_count})
            row.state, row.finished_at = DeliveryState.FAILED, timezone.now()
            row.error = f"Given up by {actor.name}. {row.error}".strip()
            row.save(update_fields=("state", "finished_at", "error"))
        _tell(rows)
    return bool(rows)


def _addressed(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return deliveries.filter(notifier__isnull=False)


def _locked(deliveries: QuerySet[Delivery], limit: int = 1) -> list[Delivery]:
    rows = deliveries.select_for_update(of=("self",)).order_by("id")
    return list(rows.defer("message")[:limit])


def _queue(rows: Sequence[Delivery]) -> None:
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=DeliveryState.QUEUED, next_attempt_at=timezone.now(), finished_at=None
    )
    _tell(rows)


def _tell(rows: Sequence[Delivery]) -> None:
    if rows:
        # The courier sends what is due, and the rest of a lane may go when one is given up.
        postgres.notify(postgres.DELIVERIES)
        publish("deliveries", "alerts")

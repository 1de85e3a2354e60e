"""The courier's reads and writes: which deliveries are due, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from django.db import connection, transaction
from django.utils import timezone

from consulops.alerts.models import WAITING, Attempt, Delivery, DeliveryState
from consulops.alerts.retry import next_attempt
from consulops.core import bulk
from consulops.live.services import publish
from consulops.notifiers.base import SendError
from consulops.notifiers.services import mark_error, mark_sent

# How many deliveries of one notifier are taken at a time: a long queue of one notifier leaves
# the others their turn.
PER_NOTIFIER = 200

# The oldest waiting message of each lane, for each enabled notifier on its own. The index of the
# waiting ones is ordered by `id + 0`.
_DUE = """
SELECT due.*, notifier.updated_at AS notifier_updated_at
FROM notifiers_notifier AS notifier CROSS JOIN LATERAL (
    SELECT * FROM alerts_delivery AS one
    WHERE one.notifier_id = notifier.id
      AND one.state IN ('queued', 'retrying')
      AND one.next_attempt_at <= %(now)s
      AND NOT one.id = ANY(%(busy)s)
      AND NOT EXISTS (
        SELECT 1 FROM alerts_delivery AS before
        WHERE before.lane = one.lane AND before.id < one.id
          AND before.state IN ('queued', 'retrying'))
    ORDER BY one.id + 0 LIMIT %(limit)s
) AS due WHERE notifier.enabled
"""

# What somebody gave up while it was being tried stays given up, unless it was taken all the same.
_CHANGED = ("state", "attempt_count", "finished_at", "next_attempt_at", "error")
_WRITE = """
UPDATE alerts_delivery AS one
SET (state, attempt_count, finished_at, next_attempt_at, error)
  = (new.state, new.attempt_count, new.finished_at, new.next_attempt_at, new.error)
FROM unnest(
    %s::bigint[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::text[])
    AS new (id, state, attempt_count, finished_at, next_attempt_at, error)
WHERE one.id = new.id AND (one.state IN ('queued', 'retrying') OR new.state = 'sent')
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt: when, how long it took, and the answer or the error."""

    delivery: Delivery
    at: datetime
    duration_ms: int
    answer: str
    error: SendError | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to send now, and which version of its notifier's settings it is for."""

    delivery: Delivery
    notifier_updated_at: datetime


def due(busy: Iterable[int]) -> list[Due]:
    """The deliveries to send now, leaving out those that are being sent."""
    parameters = {"now": timezone.now(), "busy": list(busy), "limit": PER_NOTIFIER}
    updated_at = attrgetter("notifier_updated_at")
    return [Due(one, updated_at(one)) for one in Delivery.objects.raw(_DUE, parameters)]


def next_attempt_at(after: datetime) -> datetime | None:
    """When the next delivery falls due that was not yet at this moment."""
    later = Delivery.objects.filter(state__in=WAITING, next_attempt_at__gt=after)
    return later.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()


def stamp(results: Sequence[Result], fence: Callable[[], None]) -> None:
    """Writes down attempts and what follows from them. Raises LeaseLost and then writes nothing.

    This comes after the send, so a crash between the two sends again, under the same key.
    """
    now = timezone.now()
    with transaction.atomic():
        fence()
        bulk.insert([_attempt(result) for result in results])
        for result in results:
            _apply(result, now)
        _write([result.delivery for result in results])
        _mark_notifiers(results, now)
        publish("deliveries", "notifiers")


def _attempt(result: Result) -> Attempt:
    return Attempt(
        delivery=result.delivery,
        at=result.at,
        duration_ms=result.duration_ms,
        ok=result.error is None,
        answer=result.error.text if result.error else result.answer,
    )


def _apply(result: Result, now: datetime) -> None:
    delivery = result.delivery
    delivery.attempt_count += 1
    if result.error is None:
        delivery.state, delivery.error, delivery.finished_at = DeliveryState.SENT, "", now
        return
    delivery.error = result.error.text
    again = next_attempt(result.error, delivery.created_at, delivery.attempt_count, now)
    if again is None:
        delivery.state, delivery.finished_at = DeliveryState.FAILED, now
    else:
        delivery.state, delivery.next_attempt_at = DeliveryState.RETRYING, again


def _write(deliveries: Sequence[Delivery]) -> None:
    """Saves what an attempt changes; in a burst Django's bulk_update takes ten times as long."""
    columns = [[getattr(one, name) for one in deliveries] for name in ("pk", *_CHANGED)]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, columns)


def _mark_notifiers(results: Sequence[Result], now: datetime) -> None:
    """The last word of each notifier's results is how it fares."""
    last = {result.delivery.notifier_id: result for result in results}
    last.pop(None, None)
    mark_sent([pk for pk, result in last.items() if pk and result.error is None], now)
    for pk, result in last.items():
        if pk and result.error is not None:
            mark_error([pk], result.error.text, result.error.permanent, now)


def drop_orphans() -> int:
    """Fails the waiting deliveries whose notifier was deleted; returns how many."""
    orphans = Delivery.objects.filter(notifier__isnull=True, state__in=WAITING)
    return orphans.update(
        state=DeliveryState.FAILED,
        error="The notifier was deleted.",
        finished_at=timezone.now(),
    )

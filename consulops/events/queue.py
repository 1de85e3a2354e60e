"""The runs that wait or are under way: claimed once, ended by who claimed them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from consulops.core import postgres
from consulops.core.crypto import WrongKey
from consulops.events.kinds import KINDS, Occasion
from consulops.events.models import EventHandler, HandlerKind, Run, RunState
from consulops.live.services import publish
from consulops.notifiers.base import Kind

# So many runs at once in all; of each handler one, so that it gets the events in their order.
MOST = 32
# Who runs a program says so this often, and counts as dead after so long without a sign.
BEAT_S, DEAD_AFTER_S = 2.0, 10.0
# How long to wait before the next attempt of a webhook; with the first one these are all.
PAUSES_S = (1.0, 5.0, 30.0)
LONGEST_RESULT = 2000

# The oldest run of each handler that is not at work; one of a failed webhook waits aside.
_NEXT = """
SELECT DISTINCT ON (one.handler_id) one.id FROM events_run AS one
WHERE one.state = 'queued' AND one.next_at <= %s AND one.handler_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM events_run AS busy
                  WHERE busy.handler_id = one.handler_id AND busy.state = 'running')
ORDER BY one.handler_id, one.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours to do: with what, for what, and how long at most."""

    pk: int
    claim: UUID
    kind: Kind | str
    occasion: Occasion
    timeout_s: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run, or one attempt of it, ended; with `again_at` it is tried once more."""

    state: RunState
    result: str
    output: str = ""
    again_at: datetime | None = None


def claim(fence: Callable[[], None], room: int) -> list[Claimed]:
    """Takes runs that are due, each for us alone. Raises LeaseLost."""
    now, mark = timezone.now(), uuid.uuid4()
    with transaction.atomic():
        fence()
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [now, room])
            keys = [row[0] for row in cursor.fetchall()]
        if not keys:
            return []
        # Compared and set: whoever dropped one of them meanwhile has won.
        Run.objects.filter(pk__in=keys, state=RunState.QUEUED).update(
            state=RunState.RUNNING, claim=mark, started_at=now, alive_at=Now()
        )
        runs = Run.objects.filter(claim=mark).select_related("event__cluster", "handler")
        found = [_claimed(run) for run in runs.order_by("pk")]
        publish("events")
    return found


def next_at() -> datetime | None:
    """When the next run that waits for another attempt is due."""
    later = Run.objects.filter(state=RunState.QUEUED, next_at__gt=timezone.now())
    return later.order_by("next_at").values_list("next_at", flat=True).first()


def still_at_it(claimed: Claimed) -> None:
    """The sign of life of a run."""
    Run.objects.filter(pk=claimed.pk, claim=claimed.claim).update(alive_at=Now())


def finish(claimed: Claimed, ending: Ending) -> None:
    """Writes down how a run ended; nothing if it is no longer ours.

    One that was given up for lost has ended after all, so what it says is the truth.
    """
    now = timezone.now()
    mine = Run.objects.filter(pk=claimed.pk, claim=claimed.claim)
    values = {"attempts": claimed.attempt, "result": ending.result[:LONGEST_RESULT]}
    with transaction.atomic():
        if ending.again_at is None:
            values |= {"state": ending.state, "output": ending.output, "finished_at": now}
        else:
            values |= {"state": RunState.QUEUED, "next_at": ending.again_at}
        mine.filter(state__in=(RunState.RUNNING, RunState.LOST)).update(**values)
        # The handler is free for its next event.
        postgres.notify(postgres.EVENTS)
        publish("events")


def take_over(fence: Callable[[], None]) -> None:
    """Looks after the runs of a loop that is no more. Raises LeaseLost.

    A webhook that may or may not have arrived is sent again, under the same key.
    """
    with transaction.atomic():
        fence()
        Run.objects.filter(state=RunState.RUNNING, kind=HandlerKind.WEBHOOK).update(
            state=RunState.QUEUED, next_at=timezone.now()
        )


def give_up_the_lost(fence: Callable[[], None]) -> None:
    """Marks the programs whose worker gives no sign of life any more. Raises LeaseLost.

    They are not run again: they may have done their work.
    """
    silent = Q(alive_at__lt=Now() - timedelta(seconds=DEAD_AFTER_S))
    with transaction.atomic():
        fence()
        lost = Run.objects.filter(silent, state=RunState.RUNNING, kind=HandlerKind.EXECUTABLE)
        if lost.update(
            state=RunState.LOST,
            result="The worker that ran it ended in the midst of it.",
            finished_at=timezone.now(),
        ):
            publish("events")


def kind_of(handler: EventHandler) -> Kind | str:
    """What the handler does, made ready; or why it cannot be done."""
    known = KINDS.get(handler.kind)
    if known is None:
        return f"There is no kind {handler.kind} here."
    try:
        return known({**handler.config, **handler.secrets})
    except WrongKey as error:
        return str(error)


def _claimed(run: Run) -> Claimed:
    # Both are there: the row is locked by our transaction, so it cannot lose its handler.
    handler, mark = cast(EventHandler, run.handler), cast(UUID, run.claim)
    occasion = Occasion(run.key, run.event, run.event.cluster.name)
    return Claimed(run.pk, mark, kind_of(handler), occasion, handler.timeout_s, run.attempts + 1)

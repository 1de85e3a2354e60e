"""Sends the deliveries: many at once, each notifier within its own limit, none behind another."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from django.utils import timezone

from consulops.alerts import outbox
from consulops.alerts.models import Delivery
from consulops.alerts.outbox import Due, Result
from consulops.core import postgres
from consulops.core.concurrency import side_by_side
from consulops.loops.context import Context
from consulops.notifiers.base import Kind, Message, SendError
from consulops.notifiers.models import Notifier
from consulops.notifiers.registry import load
from consulops.notifiers.sending import send

log = logging.getLogger(__name__)

# The floor below the bell: a delivery is never later than this because a ring was missed.
LOOK_EVERY_S = 15.0


@dataclass(slots=True)
class Desk:
    """One notifier as the courier uses it: its kind, and how many may be under way at once."""

    updated_at: datetime
    kind: Kind | SendError
    timeout_s: float
    limit: asyncio.Semaphore
    # Of its own, so that a slow blocking notifier fills no other's threads.
    threads: ThreadPoolExecutor
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Courier:
    """Takes what is due from the outbox, sends it, and stamps it afterwards."""

    def __init__(self, context: Context, http: aiohttp.ClientSession) -> None:
        self.context = context
        self.http = http
        self.bell = context.bell(postgres.DELIVERIES)
        self.desks: dict[int, Desk] = {}
        self.busy: set[int] = set()
        self.results: asyncio.Queue[Result] = asyncio.Queue()

    async def run(self) -> None:
        """Works until cancelled. Raises LeaseLost."""
        try:
            await side_by_side(self._hand_out(), self._stamp())
        finally:
            self._close()

    async def _hand_out(self) -> None:
        rang = False
        while True:
            if not rang:
                # Nobody rings for messages whose notifier is gone.
                await self.context.database(outbox.drop_orphans)
            asked_at = timezone.now()
            for one in await self.context.database(outbox.due, tuple(self.busy)):
                desk = await self._desk(one)
                self.busy.add(one.delivery.pk)
                task = asyncio.create_task(self._send(desk, one.delivery))
                desk.tasks.add(task)
                task.add_done_callback(desk.tasks.discard)
            # Asked last: what is due is already on its way. What fell due since then is not.
            next_at = await self.context.database(outbox.next_attempt_at, asked_at)
            rang = await self.bell.wait(_seconds_until(next_at))

    async def _desk(self, due: Due) -> Desk:
        """The notifier's desk, opened anew when its settings have changed."""
        pk = due.delivery.notifier_id or 0
        desk = self.desks.get(pk)
        if desk is None or desk.updated_at != due.notifier_updated_at:
            fresh = await self.context.database(_open, pk)
            if desk is not None:
                fresh.tasks = desk.tasks
                desk.threads.shutdown(wait=False)
            self.desks[pk] = desk = fresh
        return desk

    async def _send(self, desk: Desk, delivery: Delivery) -> None:
        async with desk.limit:
            if not self.context.is_current():
                # We were stopped for so long that another may have sent it.
                self.busy.discard(delivery.pk)
                return
            at, began = timezone.now(), time.monotonic()
            answer, error = "", None
            try:
                if isinstance(desk.kind, SendError):
                    raise desk.kind
                message = Message.from_dict(delivery.message)
                answer = await send(desk.kind, self.http, message, desk.timeout_s, desk.threads)
            except SendError as failure:
                error = failure
            except Exception as defect:
                # A defect of one kind must neither lose its message nor stop the others.
                log.exception("%s: delivery %s", delivery.notifier_name, delivery.key)
                error = SendError(f"The notifier's code failed: {type(defect).__name__}.")
        took_ms = round((time.monotonic() - began) * 1000)
        self.results.put_nowait(Result(delivery, at, took_ms, answer, error))

    async def _stamp(self) -> None:
        """Writes results down, all that have come in meanwhile in one transaction."""
        while True:
            results = [await self.results.get()]
            while not self.results.empty():
                results.append(self.results.get_nowait())
            await self.context.database(outbox.stamp, results, self.context.fence)
            self.busy -= {result.delivery.pk for result in results}
            # The next message of a lane, or the rest of a long queue, may go now.
            self.bell.ring()

    def _close(self) -> None:
        for desk in self.desks.values():
            for task in desk.tasks:
                task.cancel()
            desk.threads.shutdown(wait=False, cancel_futures=True)


def _open(notifier_id: int) -> Desk:
    notifier = Notifier.objects.get(pk=notifier_id)
    try:
        kind: Kind | SendError = load(notifier)
    except SendError as error:
        kind = error
    return Desk(
        updated_at=notifier.updated_at,
        kind=kind,
        timeout_s=notifier.timeout_s,
        limit=asyncio.Semaphore(notifier.concurrency),
        threads=ThreadPoolExecutor(notifier.concurrency, thread_name_prefix="send"),
    )


def _seconds_until(when: datetime | None) -> float:
    if when is None:
        return LOOK_EVERY_S
    return min(max((when - timezone.now()).total_seconds(), 0.01), LOOK_EVERY_S)

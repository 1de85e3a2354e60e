"""Runs the handlers: webhooks in the loop, programs beside it; none waits for another."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import aiohttp
from django.utils import timezone

from consulops.core import postgres
from consulops.events import programs, queue
from consulops.events.kinds import Program, Webhook
from consulops.events.models import RunState
from consulops.events.programs import ProgramAtWork
from consulops.events.queue import MOST, PAUSES_S, Claimed, Ending
from consulops.loops import lifeline
from consulops.loops.context import Context
from consulops.notifiers.base import SendError

# The floor below the bell; also how often the lost are looked for.
LOOK_EVERY_S = 5.0
# A loop has three seconds to end.
STOP_S = 2.0


class Runner:
    """Claims what is due and runs it."""

    def __init__(self, context: Context, http: aiohttp.ClientSession) -> None:
        self.context = context
        self.http = http
        self.bell = context.bell(postgres.EVENTS)
        self.sending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Works until cancelled. Raises LeaseLost."""
        try:
            await self.context.database(queue.take_over, self.context.fence)
            while True:
                await self.context.database(queue.give_up_the_lost, self.context.fence)
                await self._start_what_is_due()
                later = await self.context.database(queue.next_at)
                await self.bell.wait(_seconds_until(later))
        finally:
            for task in self.sending:
                task.cancel()
            if lifeline.is_cut():
                # Not handed over but stopped: nothing of us stays.
                await programs.stop_all(STOP_S)

    async def _start_what_is_due(self) -> None:
        room = MOST - len(self.sending) - programs.at_work()
        if room <= 0:
            return
        for claimed in await self.context.database(queue.claim, self.context.fence, room):
            if isinstance(claimed.kind, Program):
                ProgramAtWork(claimed, claimed.kind).start()
                continue
            task = asyncio.create_task(self._send(claimed))
            self.sending.add(task)
            task.add_done_callback(self.sending.discard)

    async def _send(self, claimed: Claimed) -> None:
        ending = await attempt(self.http, claimed)
        await self.context.database(queue.finish, claimed, ending)


async def attempt(http: aiohttp.ClientSession, claimed: Claimed) -> Ending:
    """Sends a webhook once, and decides whether it is sent again."""
    if not isinstance(claimed.kind, Webhook):
        return Ending(RunState.FAILED, str(claimed.kind))
    try:
        answer = await claimed.kind.send(http, claimed.occasion, claimed.timeout_s)
    except SendError as error:
        again = next_attempt(error, claimed.attempt, timezone.now())
        return Ending(RunState.FAILED, error.text, again_at=again)
    return Ending(RunState.DONE, answer)


def next_attempt(error: SendError, attempts: int, now: datetime) -> datetime | None:
    """When to send again after so many attempts; None when it is no use. Pure."""
    if error.permanent or attempts > len(PAUSES_S):
        return None
    return now + timedelta(seconds=max(PAUSES_S[attempts - 1], error.retry_after_s or 0.0))


def _seconds_until(when: datetime | None) -> float:
    if when is None:
        return LOOK_EVERY_S
    return min(max((when - timezone.now()).total_seconds(), 0.01), LOOK_EVERY_S)

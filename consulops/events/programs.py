"""Programs at work, each in a thread of its own.

A supervisor hands its loops over every ten minutes, and a program may run for longer: so it does
not belong to the loop that started it but to the worker process, which goes on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from django.db import Error as DatabaseError

from consulops.consulapi import Backoff
from consulops.events import queue
from consulops.events.kinds import Program
from consulops.events.models import RunState
from consulops.events.queue import BEAT_S, Claimed, Ending
from consulops.loops.database import DatabaseThread
from consulops.notifiers.executables import NotAllowed, Outcome

log = logging.getLogger(__name__)

STOPPED = Ending(RunState.LOST, "ConsulOps was stopped in the midst of it.")

_at_work: set[ProgramAtWork] = set()


class ProgramAtWork(threading.Thread):
    """One run of a program: starts it, gives signs of life, writes down how it ended."""

    def __init__(self, claimed: Claimed, program: Program) -> None:
        super().__init__(name=f"event program {claimed.pk}", daemon=True)
        self.claimed, self.program = claimed, program
        self._stop = threading.Event()
        _at_work.add(self)

    def run(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            _at_work.discard(self)

    def stop(self) -> None:
        """Kills the program soon."""
        self._stop.set()

    async def _main(self) -> None:
        database = DatabaseThread()
        try:
            ending = await self._ending(database)
            await _keep_trying(database, self.claimed, ending)
        finally:
            await database.close()

    async def _ending(self, database: DatabaseThread) -> Ending:
        timeout_s = self.claimed.timeout_s
        running = asyncio.create_task(self.program.run(self.claimed.occasion, timeout_s))
        beaten_at = time.monotonic()
        while not running.done():
            await asyncio.wait([running], timeout=0.2)
            if self._stop.is_set():
                running.cancel()
                await asyncio.wait([running])
                return STOPPED
            if time.monotonic() - beaten_at > BEAT_S:
                beaten_at = time.monotonic()
                await _beat(database, self.claimed)
        try:
            return ending_of(running.result(), timeout_s)
        except NotAllowed as refusal:
            return Ending(RunState.FAILED, str(refusal))


def at_work() -> int:
    """How many programs run in this process."""
    return len(_at_work)


async def stop_all(patience_s: float) -> None:
    """Kills all programs of this process, and waits so long for what is to be written of them."""
    threads = list(_at_work)
    for one in threads:
        one.stop()
    waiting = [asyncio.create_task(asyncio.to_thread(one.join, patience_s)) for one in threads]
    if waiting:
        await asyncio.wait(waiting)


def ending_of(outcome: Outcome, timeout_s: float) -> Ending:
    """What the end of a program means. Pure."""
    if outcome.timed_out:
        return Ending(
            RunState.TIMED_OUT, f"Killed: it ran for more than {timeout_s:g} s.", outcome.output
        )
    if outcome.exit_code < 0:
        said = f"Ended by signal {-outcome.exit_code}."
        return Ending(RunState.FAILED, said, outcome.output)
    state = RunState.FAILED if outcome.exit_code else RunState.DONE
    return Ending(state, f"Exit code {outcome.exit_code}.", outcome.output)


async def _beat(database: DatabaseThread, claimed: Claimed) -> None:
    try:
        await database.run(queue.still_at_it, claimed)
    except DatabaseError as error:
        # Somebody may take it for lost meanwhile; its end corrects that.
        log.warning("no sign of life from %s: %s", claimed.pk, str(error).strip())


async def _keep_trying(database: DatabaseThread, claimed: Claimed, ending: Ending) -> None:
    """Writes the end down, however long the database is away."""
    backoff = Backoff(base_s=0.5, cap_s=5.0)
    while True:
        try:
            return await database.run(queue.finish, claimed, ending)
        except DatabaseError as error:
            log.warning("cannot note the end of run %s: %s", claimed.pk, str(error).strip())
            await asyncio.sleep(backoff.next_s())

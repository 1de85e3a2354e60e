"""The supervisor: an asyncio program that runs, side by side, the loops whose leases it holds."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass

import psutil
from django.db import Error as DatabaseError

from consulops.core import postgres
from consulops.loops import leases, lifeline, registry
from consulops.loops.bells import Bells
from consulops.loops.context import Context, LeaseLost
from consulops.loops.database import TROUBLE, DatabaseThread

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a supervisor lives; all in seconds."""

    beat_s: float = 2.0
    # Then a successor takes over: well under the task's `timeout`, see ARCHITECTURE.
    run_s: float = 600.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    # The longest pause when it was the database that failed: soon after it is back, all runs again.
    database_pause_s: float = 2.0
    # A loop gets so long to end; after that the other leases are more important.
    end_s: float = 3.0
    # No work of a loop takes so long; then something hangs that nothing will end.
    stuck_s: float = 60.0
    # A loop that ran for so long before it crashed starts again with the first pause.
    well_s: float = 60.0


def pause_s(crashes: int, pace: Pace) -> float:
    """How long to wait before a loop that crashed `crashes` times in a row runs again."""
    longest = min(pace.longest_pause_s, pace.first_pause_s * 2.0 ** min(crashes - 1, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311


def identify() -> leases.Identity:
    """A new supervisor's identity, which nobody has had before."""
    host, pid = socket.gethostname(), os.getpid()
    owner = f"{host[:60]}:{pid}:{lifeline.FAMILY}-{secrets.token_hex(3)}"
    return leases.Identity(owner, host, pid, lifeline.FAMILY)


class Supervisor:
    """Holds leases and runs their loops until its time is over or the process is to stop."""

    def __init__(self, pace: Pace | None = None, *, is_heir: bool = False) -> None:
        """An heir is the only one in its process: it takes the leases of the one before it."""
        self.me = identify()
        self._pace = pace or Pace()
        self._has_inherited = not is_heir
        self._process = psutil.Process()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._epochs: dict[str, int] = {}
        self._renewed_at = time.monotonic()
        self._stopped = False
        self._bells = Bells(postgres.LOOPS, postgres.DELIVERIES, postgres.NOTICES)
        self._news = self._bells.hang(postgres.LOOPS)
        self._database = DatabaseThread()
        # The beat does not queue behind the loops' work: leases live on however busy they are.
        self._own = DatabaseThread()

    def stop(self) -> None:
        """Makes `run` end soon."""
        self._stopped = True
        self._news.ring()

    async def run(self) -> None:
        """Runs; at the end, every loop has ended and every lease is free."""
        listening = asyncio.create_task(self._bells.listen())
        try:
            with lifeline.watched(self.stop):
                await self._beat_until_the_end()
        finally:
            await self._end(self._running)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._leave()
            if self._is_stuck():
                self._database.abandon()
            else:
                await self._database.close()
            await self._own.close()

    def _is_stuck(self) -> bool:
        return self._database.busy_s() > self._pace.stuck_s

    async def _beat_until_the_end(self) -> None:
        end = time.monotonic() + self._pace.run_s
        while not self._stopped and time.monotonic() < end:
            if self._is_stuck():
                # The leases would live on and nothing would be done: a successor begins afresh.
                log.error("the database thread is stuck, ending:\n%s", self._database.where())
                return
            try:
                wait_s = await self._beat()
            except DatabaseError as error:
                log.warning("cannot renew the leases: %s", str(error).strip())
                wait_s = await self._after_failed_beat()
            except Exception:
                # Asking the apps for their keys runs their code: a defect in one must not end the
                # supervisor, and with it the loops of all the others.
                log.exception("the beat failed")
                wait_s = await self._after_failed_beat()
            await self._news.wait(min(wait_s, max(end - time.monotonic(), 0)))

    async def _beat(self) -> float:
        """Brings what runs here in line with the leases; returns seconds until the next time."""
        if not self._has_inherited:
            await self._own.run(leases.inherit, self.me)
            self._has_inherited = True
        asked_at = time.monotonic()
        desired = await self._own.run(registry.desired_keys)
        beat = await self._own.run(
            leases.beat, self.me, self._epochs, desired, self._process.memory_info().rss
        )
        self._renewed_at = asked_at
        lost = {key for key, epoch in self._epochs.items() if beat.held.get(key) != epoch}
        for key in sorted(lost):
            log.warning("lost the lease of %s", key)
        await self._end(lost | set(beat.surplus))
        if beat.surplus:
            await self._own.run(leases.free, self.me, beat.surplus)
        self._start({key: beat.held[key] for key in beat.held if key not in beat.surplus})
        lapse_s = self._pace.beat_s if beat.next_lapse_s is None else beat.next_lapse_s + 0.05
        return min(self._pace.beat_s, max(lapse_s, 0.2))

    def _start(self, held: dict[str, int]) -> None:
        for key in sorted(held.keys() - self._epochs.keys()):
            log.info("took the lease of %s (epoch %d)", key, held[key])
            self._running[key] = asyncio.create_task(self._keep_running(key, held[key]), name=key)
        self._epochs = held

    async def _end(self, keys: Iterable[str]) -> None:
        ended = list(keys)
        tasks = [self._running.pop(key) for key in ended if key in self._running]
        # A lease that was lost may come back in the same beat, under a new epoch.
        self._epochs = {key: self._epochs[key] for key in self._epochs if key not in ended}
        for task in tasks:
            task.cancel()
        if tasks:
            _, stubborn = await asyncio.wait(tasks, timeout=self._pace.end_s)
            for task in stubborn:
                log.error("%s does not stop", task.get_name())

    async def _after_failed_beat(self) -> float:
        # The leases have lapsed and others may have them: ours could write nothing any more, but
        # a loop that talks to the outside would do so twice.
        if self._running and not self._is_current():
            log.warning("the leases have lapsed: stopping %d loops", len(self._running))
            await self._end(self._running)
        return self._pace.beat_s / 4

    def _is_current(self) -> bool:
        return time.monotonic() - self._renewed_at < leases.LIFE_S

    async def _leave(self) -> None:
        try:
            await self._own.run(leases.leave, self.me)
        except DatabaseError as error:
            log.warning("cannot give the leases back, they will lapse: %s", str(error).strip())

    async def _keep_running(self, key: str, epoch: int) -> None:
        """Runs a loop again and again, with longer and longer pauses while it keeps crashing."""
        crashes = 0
        while True:
            started_at, longest_s = time.monotonic(), self._pace.longest_pause_s
            context = Context(
                key, self.me.owner, epoch, self._database, self._bells, self._is_current
            )
            try:
                await registry.find(key).run(context)
                error = "The loop ended although nobody had stopped it."
                log.error("%s ended although nobody had stopped it", key)
            except LeaseLost as lost:
                # The next beat finds the same and takes it from here.
                log.warning("%s", lost)
                self._news.ring()
                return
            except TROUBLE as failure:
                longest_s = self._pace.database_pause_s
                error = traceback.format_exc(limit=-8)
                log.warning("%s: %s", key, str(failure).strip())
            except Exception:
                # Whatever it is, it is logged, shown on the System page, and tried again.
                error = traceback.format_exc(limit=-8)
                log.exception("%s crashed", key)
            finally:
                context.close()
            ran_well = time.monotonic() - started_at > self._pace.well_s
            crashes = 1 if ran_well else crashes + 1
            await self._record(key, error)
            await asyncio.sleep(min(pause_s(crashes, self._pace), longest_s))

    async def _record(self, key: str, error: str) -> None:
        try:
            await self._own.run(leases.record_crash, self.me, key, error)
        except DatabaseError as failure:
            log.warning("cannot note the crash of %s: %s", key, str(failure).strip())

"""Bells: one LISTEN connection of a supervisor wakes its loops."""

from __future__ import annotations

import asyncio
import logging
import random

import psycopg

from consulops.core import postgres

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 5.0


class Bell:
    """Tells a loop that a channel was notified; remembers it until the loop looks."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> bool:
        """True when rung since the last wait, False when `timeout_s` passed without."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class Bells:
    """Rings everyone who waits for a channel, and everyone after a gap in the listening."""

    def __init__(self, *channels: str) -> None:
        self._bells: dict[str, list[Bell]] = {channel: [] for channel in channels}
        self._more = asyncio.Event()
        self._failures = 0

    def hang(self, channel: str) -> Bell:
        """A new bell of a channel; `take_down` ends it."""
        bell = Bell()
        if channel not in self._bells:
            self._bells[channel] = []
            self._more.set()
        self._bells[channel].append(bell)
        return bell

    def take_down(self, bell: Bell) -> None:
        for bells in self._bells.values():
            if bell in bells:
                bells.remove(bell)

    async def listen(self) -> None:
        """Listens until it is cancelled; reconnects when the link breaks."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    listening = group.create_task(self._listen_once())
                    # A channel that nobody had asked for before: listen anew, to it as well.
                    await self._more.wait()
                    self._more.clear()
                    listening.cancel()
            except* (psycopg.OperationalError, OSError) as broken:
                if not self._failures:
                    log.warning("the link to PostgreSQL broke: %s", broken.exceptions[0])
                self._failures += 1
            if self._failures:
                longest = min(LONGEST_WAIT_S, 0.2 * 2**self._failures)
                await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311

    async def _listen_once(self) -> None:
        async for channel, _ in postgres.listen(*self._bells):
            self._failures = 0
            # The first item has no channel: what happened before it must be looked for.
            for bell in self._bells.get(channel, self._everyone()):
                bell.ring()

    def _everyone(self) -> list[Bell]:
        return [bell for bells in self._bells.values() for bell in bells]

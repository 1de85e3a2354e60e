"""Hears PostgreSQL for the whole web process and hands each ring to the open streams."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from consulops.core import postgres
from consulops.live.topics import TOPICS

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
# Even when a dead link is noticed late, nobody is shown what is older than this.
LONGEST_FRESH_S = 300


class Listener:
    """What rang for one stream and was not sent yet: a set, so it is bounded by the topics."""

    def __init__(self, topics: frozenset[str], owner: int) -> None:
        self.topics = topics
        self.owner = owner
        self._rung: set[str] = set()
        self._bell = asyncio.Event()

    def ring(self, topic: str) -> None:
        if topic in self.topics:
            self._rung.add(topic)
            self._bell.set()

    async def wait(self, timeout_s: float) -> list[str]:
        """The topics that rang since the last call; empty when none did in time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), timeout_s)
        rung, self._rung = sorted(self._rung), set()
        self._bell.clear()
        return rung


class Hub:
    """One LISTEN connection, any number of listeners, and a count of rings for each topic.

    The counts are the clock that ETags are made from: while they stand still, and the link
    lives, a fragment that was rendered before is still true.
    """

    def __init__(self) -> None:
        self.is_connected = False
        # Tells this process's counts from those of its predecessor and its siblings.
        self._boot = secrets.token_hex(6)
        self._connections = 0
        self._rings: Counter[str] = Counter()
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    def count(self, owner: int | None = None) -> int:
        """How many streams are open, in all or for one person."""
        return sum(owner is None or one.owner == owner for one in self._listeners)

    @contextmanager
    def listening(self, topics: frozenset[str], owner: int) -> Iterator[Listener]:
        """A listener for as long as the block lasts; the first one opens the link."""
        self._start()
        listener = Listener(topics, owner)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def clock(self, topics: tuple[str, ...]) -> str | None:
        """Changes whenever one of the topics may have rung; None while we cannot know."""
        if not self.is_connected:
            return None
        rings = "-".join(str(self._rings[topic]) for topic in topics)
        return f"{self._boot}-{self._connections}-{int(time.time() // LONGEST_FRESH_S)}-{rings}"

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._hear(), name="live hub")

    async def _hear(self) -> None:
        """Listens until the process ends, and begins again when the link breaks."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async for channel, topic in postgres.listen(postgres.LIVE):
                    pause_s = FIRST_PAUSE_S
                    self._on_news(channel, topic)
            except (psycopg.Error, OSError) as error:
                log.warning("lost the database's rings, trying again: %s", error)
            finally:
                self.is_connected = False
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - only jitter
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _on_news(self, channel: str, topic: str) -> None:
        if not channel:
            # Listening has just begun: anything may have changed before.
            self._connections += 1
            self.is_connected = True
        for name in [topic] if channel else TOPICS:
            self._rings[name] += 1
            for listener in self._listeners:
                listener.ring(name)


hub = Hub()

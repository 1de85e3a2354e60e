"""Watches the health checks of one cluster: the failing states fast, everything else gently.

A blocking query on one failing state answers in about 5 ms and carries only the failing checks,
however many there are in all; the whole list takes about 30 ms and a megabyte at 5,000 checks. So
the failing states are the fast road, and the whole list is the truth that catches up: outputs,
new checks, checks that are gone. It is read a moment after it has changed, so that it does not
take the processors from the fast road.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.clusters.services import saw_answer, saw_error
from consulops.consulapi import Answer, AsyncClient, ConsulError, Update, watch
from consulops.consulapi.errors import BadAnswer
from consulops.consulapi.target import Consistency
from consulops.core.concurrency import side_by_side
from consulops.core.status import Status
from consulops.health import services
from consulops.health.observation import BadEntry, Key, Observation
from consulops.health.picture import Picture
from consulops.loops.context import Context

log = logging.getLogger(__name__)

# A failing state sleeps this long at most: its answers are also the cluster's sign of life.
FAILING_WAIT_S = 10.0
LIFE_AFTER_S = 1.0
WHOLE_WAIT_S = 30.0
CATALOG_PACE_S = 2.0
# The whole list may use about a twentieth of the time, whatever it costs.
WHOLE_PACE = 20
WHOLE_PACE_MIN_S, WHOLE_PACE_MAX_S = 0.2, 30.0

# So many new checks at once change how PostgreSQL had best look for one.
MANY = 500
# Changes in one transaction: half a second of work when everything fails at once.
PART = 250

WHOLE = "/v1/health/state/any"
# No check is like this: the same blocking query, for a tenth of the cost, says when to look.
BELL = {"filter": 'CheckID == ""'}
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PROXY = "See whether the address is that of a Consul agent and no proxy stands between."

Listing = Sequence[Mapping[str, Any]]
T = TypeVar("T")


class CheckWatcher:
    """Keeps the stored checks of one cluster equal to Consul's for as long as it runs."""

    def __init__(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        self.context = context
        self.cluster = cluster
        self.client = client
        self.picture = Picture({})
        # Learnt, and not yet on its way to the database.
        self._waiting: dict[Key, Observation] = {}
        # Consul's index of the whole list that was taken in last.
        self._read_at = 0
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Compares with the database, then watches until cancelled. Raises LeaseLost."""
        await self._catch_up()
        await side_by_side(
            self._follow(Status.CRITICAL, sign_of_life=True),
            self._follow(Status.WARNING),
            self._follow_whole(),
            self._show_life(),
            self._follow_catalog("/v1/catalog/nodes", services.store_nodes, list),
            self._follow_catalog("/v1/catalog/services", services.store_services, dict),
        )

    async def _catch_up(self) -> None:
        """Finds what changed while nobody watched, in a listing that the leader vouches for."""
        while True:
            try:
                answer = await self._read(WHOLE, "consistent")
                break
            except ConsulError as error:
                await self._trouble(error)
                await asyncio.sleep(1.0)
        listing = self._listing(answer.value)
        stored = await self.context.database(services.known_checks, self.cluster.pk)
        self.picture = Picture(stored)
        if not listing and len(self.picture):
            raise self._no_checks()
        await self._take(listing, in_order=False, watched=False)
        await self._record([], self.picture.absent(listing), watched=False)
        self._read_at = answer.index
        await self._alive()
        if len(listing) - len(stored) >= MANY:
            await self.context.database(services.count_anew)

    async def _follow(self, status: Status, *, sign_of_life: bool = False) -> None:
        """The fast road of one failing state."""
        async with self._watch(f"/v1/health/state/{status.value}", FAILING_WAIT_S) as updates:
            async for update in updates:
                if sign_of_life:
                    self._answered.set()
                if update.reset:
                    await self._catch_up()
                elif update.changed:
                    listing = self._listing(update.value)
                    await self._take(listing)
                    await self._settle(self.picture.left(status, listing), update.index)

    async def _settle(self, keys: Iterable[Key], index: int) -> None:
        """What became of checks that left a failing state: asks their nodes at once."""
        for path in {_path_of_node(node) for node, _ in keys}:
            answer = await self._read_since(path, index)
            # A check that is not there may be gone; the whole list decides that.
            await self._take(self._listing(answer.value))

    async def _follow_whole(self) -> None:
        """The truth, at a pace that follows from what it costs."""
        async with self._watch(WHOLE, WHOLE_WAIT_S, BELL) as updates:
            async for update in updates:
                if update.changed and not update.reset and update.index <= self._read_at:
                    continue
                # The fast road goes first.
                await asyncio.sleep(WHOLE_PACE_MIN_S)
                began = time.monotonic()
                if update.reset:
                    await self._catch_up()
                else:
                    # Also when nothing is new: a token that lost rights shortens the list and
                    # leaves its index alone.
                    self._read_at = await self._take_whole(update.index)
                pace = WHOLE_PACE * (time.monotonic() - began)
                await asyncio.sleep(min(pace, WHOLE_PACE_MAX_S))

    async def _take_whole(self, index: int) -> int:
        """Compares with a list that is at least as new as this index; returns the list's own."""
        answer = await self._read_since(WHOLE, index)
        listing = self._listing(answer.value)
        await self._take(listing)
        absent = self.picture.absent(listing)
        if not absent:
            return answer.index
        # A follower that lags, or a server that has just started, leaves checks out and says
        # nothing: only the leader's word makes a check gone.
        second = await self._read(WHOLE, "consistent")
        vouched = self._listing(second.value)
        if not vouched:
            raise self._no_checks()
        if second.index >= answer.index:
            await self._take(vouched)
            await self._record([], absent & self.picture.absent(vouched))
        return second.index

    async def _follow_catalog(
        self, path: str, store: Callable[[services.Recording, Any], None], shape: type
    ) -> None:
        """Node and service names, also of those without checks."""
        where = services.Recording(self.cluster, self.context.fence)
        async with self._watch(path, WHOLE_WAIT_S) as updates:
            async for update in updates:
                if not isinstance(update.value, shape):
                    raise self._bad_answer("The catalog is not what Consul's looks like.", _PROXY)
                if update.changed:
                    await self.context.database(store, where, update.value)
                    await asyncio.sleep(CATALOG_PACE_S)

    def _watch(
        self, path: str, wait_s: float, params: Mapping[str, str] | None = None
    ) -> aclosing[AsyncGenerator[Update, None]]:
        return aclosing(watch(self.client, path, params, wait_s=wait_s, on_error=self._trouble))

    async def _take(self, listing: Listing, *, in_order: bool = True, watched: bool = True) -> None:
        try:
            news = self.picture.news(listing, in_order=in_order)
        except BadEntry as error:
            raise self._bad_answer(str(error), _PROXY) from error
        await self._record(news, (), watched=watched)

    async def _record(
        self, news: list[Observation], gone: Iterable[Key], *, watched: bool = True
    ) -> None:
        gone = list(gone)
        if not news and not gone:
            return
        # Learnt before the write, which other answers must not repeat meanwhile. If the write
        # fails the loop starts again from the database.
        self.picture.learn(news)
        self.picture.forget(gone)
        where = services.Recording(self.cluster, self.context.fence, watched)
        older = self._overtaken([*(one.key for one in news), *gone])
        self._waiting |= {one.key: one for one in news}
        if older:
            await self.context.database(services.record, where, older)
        # In parts: what fails first is told first, and other loops have their turn between. What
        # belongs together comes together, so that a group shares its message.
        news.sort(key=lambda one: one.service)
        for part in _parts(news):
            if seen := self._turn_of(part):
                await self.context.database(services.record, where, seen)
        for keys in _parts(gone):
            # Some may have come back meanwhile.
            if still := [key for key in keys if self.picture.is_gone(key)]:
                await self.context.database(services.record, where, (), still)

    def _overtaken(self, keys: Iterable[Key]) -> list[Observation]:
        """What still waits of these checks: to be written now, before what is newer."""
        return [self._waiting.pop(key) for key in keys if key in self._waiting]

    def _turn_of(self, part: Iterable[Observation]) -> list[Observation]:
        """Those of a part that were not written before their turn; they wait no longer."""
        seen = [one for one in part if self._waiting.get(one.key) is one]
        for one in seen:
            del self._waiting[one.key]
        return seen

    async def _read_since(self, path: str, index: int) -> Answer:
        """An answer that is at least as new as what we were told at this index."""
        answer = await self._read(path, "stale")
        if answer.index < index:
            # This server has not yet applied what the other one told us.
            answer = await self._read(path, "consistent")
        return answer

    async def _read(self, path: str, consistency: Consistency) -> Answer:
        return await self.client.read(path, consistency=consistency)

    async def _show_life(self) -> None:
        """Writes that Consul answers; a moment later, for what has failed goes first."""
        while True:
            await self._answered.wait()
            await asyncio.sleep(LIFE_AFTER_S)
            if self._answered.is_set():
                await self._alive()

    async def _alive(self) -> None:
        self._answered.clear()
        await self.context.database(self._fenced, saw_answer)

    async def _trouble(self, error: ConsulError) -> None:
        log.warning("%s", error)
        self._answered.clear()
        await self.context.database(self._fenced, saw_error, f"{error.text} {error.advice}")

    def _fenced(self, write: Callable[..., None], *arguments: object) -> None:
        with transaction.atomic():
            self.context.fence()
            write(self.cluster.pk, *arguments, timezone.now())

    def _listing(self, value: Any) -> Listing:
        """The value as a list of entries. Raises BadAnswer for anything else."""
        if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
            return value
        raise self._bad_answer("The answer is no list of checks.", _PROXY)

    def _no_checks(self) -> BadAnswer:
        return self._bad_answer(
            "The list of checks is empty, though every server has a check of its own.",
            "See whether the token still has node:read and service:read.",
        )

    def _bad_answer(self, text: str, advice: str) -> BadAnswer:
        return BadAnswer(
            text, cluster=self.cluster.name, call="GET /v1/health/state/any", advice=advice
        )


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[start : start + PART] for start in range(0, len(rows), PART))


def _path_of_node(node: str) -> str:
    """Where a node's checks are listed; an odd name does not survive a path, so it reads all."""
    return f"/v1/health/node/{node}" if _PLAIN.fullmatch(node) else WHOLE

"""Blocking queries: an iterator that never ends, never lies about its index, never runs wild."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from consulops.consulapi import errors
from consulops.consulapi.aio import AsyncClient
from consulops.consulapi.answers import Answer
from consulops.consulapi.errors import ConsulError, Place
from consulops.consulapi.pace import Backoff, TokenBucket
from consulops.consulapi.target import Consistency, Params

# Consul never answers before the wait is over; our clock may start a moment after its.
_EARLY = 0.95


@dataclass(frozen=True, slots=True)
class Update:
    """One answer of a watch; `changed` is False when Consul only said that nothing is new.

    `reset` means that the index went back or is missing, as after a restore or from a server
    that has just started: what is absent from this value may still exist. A key prefix without
    keys has the value None.
    """

    value: Any
    index: int
    changed: bool
    reset: bool
    size: int


@dataclass(frozen=True, slots=True)
class Step:
    """What to make of an answer's index, and the index to ask with next (0: none)."""

    ask: int
    changed: bool
    reset: bool


def next_index(seen: int, asked: int, index: int, *, early: bool) -> Step:
    """Decides from the last index seen, the one asked with, and the one that came.

    `early`: the answer came before the wait was over. With the same index that happens when a
    restored snapshot wakes the query with the OLD data, so it is asked again without an index.
    """
    if index == 0 or index < seen:
        return Step(ask=0, changed=True, reset=True)
    if asked and index == asked:
        return Step(ask=0 if early else index, changed=False, reset=False)
    return Step(ask=index, changed=True, reset=False)


def distrust(answer: Answer, max_stale_ms: int, place: Place) -> ConsulError | None:
    """Says why an answer does not count: no known leader, or too long out of touch with it."""
    if not answer.known_leader:
        return place.error(
            errors.NoLeader,
            "The server that answered knows no leader.",
            "Wait for an election or look at the servers.",
        )
    if answer.last_contact_ms > max_stale_ms:
        return place.error(
            errors.NoLeader,
            f"The server last heard from the leader {answer.last_contact_ms / 1000:.1f} s ago.",
            "Look at that server and its network.",
        )
    return None


async def watch(
    client: AsyncClient,
    path: str,
    params: Params | None = None,
    *,
    wait_s: float = 30.0,
    consistency: Consistency = "stale",
    max_stale_ms: int = 5_000,
    from_index: int = 0,
    limiter: TokenBucket | None = None,
    on_error: Callable[[ConsulError], Awaitable[None]] | None = None,
) -> AsyncGenerator[Update, None]:
    """Yields after every answer that counts, for ever; errors go to on_error and are tried again.

    Without a limiter of the caller's, a watch has its own: 20 answers a second, 40 at once.
    Leave the loop through `contextlib.aclosing` so that a waiting request is closed at once.
    """
    limiter = limiter or TokenBucket()
    backoff = Backoff()
    place = Place(client.connection.name, f"watch {path}", client.connection.token)
    seen = asked = from_index
    while True:
        await limiter.take()
        started = time.monotonic()
        try:
            answer = await client.read(
                path,
                params,
                consistency=consistency,
                index=asked,
                wait_s=wait_s,
                missing_ok=True,
            )
            fault = distrust(answer, max_stale_ms, place)
            if fault is not None:
                raise fault
        except ConsulError as error:
            if on_error is not None:
                await on_error(error)
            await asyncio.sleep(backoff.next_s())
            continue
        early = time.monotonic() - started < wait_s * _EARLY
        step = next_index(seen, asked, answer.index, early=early)
        seen, asked = answer.index, step.ask
        yield Update(answer.value, answer.index, step.changed, step.reset, answer.size)
        if answer.index:
            backoff.reset()
        else:
            # A path without an index cannot be waited on: slow down instead of asking in a circle.
            await asyncio.sleep(backoff.next_s())

"""The hub: what a stream hears, and the clock that ETags are made from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from consulops.live import hub as module
from consulops.live.hub import Hub, Listener


def test_a_listener_hears_each_of_its_topics_once() -> None:
    async def hear() -> list[str]:
        listener = Listener(frozenset({"checks", "alerts"}), owner=1)
        for topic in ("checks", "users", "alerts", "checks"):
            listener.ring(topic)
        return await listener.wait(10)

    assert asyncio.run(hear()) == ["alerts", "checks"]


def test_a_listener_waits_for_a_ring_and_not_for_ever() -> None:
    async def hear() -> tuple[list[str], list[str]]:
        listener = Listener(frozenset({"checks"}), owner=1)
        nothing = await listener.wait(0.001)
        waiting = asyncio.create_task(listener.wait(10))
        await asyncio.sleep(0)
        listener.ring("checks")
        return nothing, await waiting

    assert asyncio.run(hear()) == ([], ["checks"])


def test_the_hub_counts_streams_and_forgets_those_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def count() -> list[int]:
        hub = Hub()
        monkeypatch.setattr(hub, "_start", lambda: None)
        with hub.listening(frozenset(), owner=1), hub.listening(frozenset(), owner=2):
            inside = [hub.count(), hub.count(1)]
        return [*inside, hub.count()]

    assert asyncio.run(count()) == [2, 1, 0]


def test_the_clock_stands_until_a_topic_rings() -> None:
    hub = Hub()
    hub._on_news("", "")
    before = hub.clock(("checks",))
    assert before is not None
    assert hub.clock(("checks",)) == before
    hub._on_news("live", "alerts")
    assert hub.clock(("checks",)) == before
    hub._on_news("live", "checks")
    assert hub.clock(("checks",)) != before


def test_the_clock_moves_with_a_new_link_and_differs_between_processes() -> None:
    one, other = Hub(), Hub()
    for hub in (one, other):
        hub._on_news("", "")
    assert one.clock(("checks",)) != other.clock(("checks",))
    before = one.clock(())
    one._on_news("", "")
    assert one.clock(()) != before


def test_there_is_no_clock_without_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries again after a failure, and trusts nothing meanwhile."""
    tries = 0
    third = asyncio.Event()

    async def listen(channel: str) -> AsyncIterator[tuple[str, str]]:
        nonlocal tries
        tries += 1
        if tries == 2:
            yield "", ""
        if tries == 3:
            third.set()
        raise psycopg.OperationalError("the server is gone")

    seen: list[str | None] = []

    async def hear() -> None:
        hub = Hub()
        seen.append(hub.clock(("checks",)))
        with hub.listening(frozenset({"checks"}), owner=1) as listener:
            assert await listener.wait(10) == ["checks"]
            await third.wait()
            seen.append(hub.clock(("checks",)))

    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("consulops.core.postgres.listen", listen)
    asyncio.run(hear())
    assert seen == [None, None]

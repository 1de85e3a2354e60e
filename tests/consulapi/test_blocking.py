"""Watches: what each index means, which answers count, and that nothing runs wild."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consulops.consulapi import (
    AsyncClient,
    Connection,
    ConsulError,
    TokenBucket,
    Update,
    errors,
    watch,
)
from consulops.consulapi.blocking import Step, next_index
from consulops.lab.cluster import LocalCluster
from tests import fake_consul
from tests.fake_consul import FakeConsul, listing

Next = Callable[[], Coroutine[Any, Any, Update]]


@asynccontextmanager
async def watching(
    address: str, path: str = "/v1/kv/x", faults: list[ConsulError] | None = None, **more: Any
) -> AsyncIterator[Next]:
    """A watch whose updates are asked for one by one; errors are gathered in `faults`."""

    async def note(error: ConsulError) -> None:
        assert faults is not None, error
        faults.append(error)

    connection = Connection("dc1", address)
    async with (
        AsyncClient(connection) as client,
        aclosing(watch(client, path, on_error=note, **more)) as updates,
    ):
        yield lambda: asyncio.wait_for(anext(updates), 20)


def updates(fake: FakeConsul, count: int, **more: Any) -> list[Update]:
    async def run() -> list[Update]:
        async with watching(fake.address, **more) as update:
            return [await update() for _ in range(count)]

    return asyncio.run(run())


def asked_with(fake: FakeConsul) -> list[str | None]:
    return [asked.query.get("index") for asked in fake.asked]


@pytest.mark.parametrize(
    ("seen", "asked", "index", "early", "step"),
    [
        (0, 0, 5, True, Step(5, changed=True, reset=False)),
        (5, 5, 6, True, Step(6, changed=True, reset=False)),
        (5, 5, 5, False, Step(5, changed=False, reset=False)),
        (5, 5, 5, True, Step(0, changed=False, reset=False)),
        (5, 0, 5, True, Step(5, changed=True, reset=False)),
        (5, 5, 4, True, Step(0, changed=True, reset=True)),
        (5, 5, 4, False, Step(0, changed=True, reset=True)),
        (5, 0, 4, True, Step(0, changed=True, reset=True)),
        (5, 5, 0, True, Step(0, changed=True, reset=True)),
        (0, 0, 0, True, Step(0, changed=True, reset=True)),
    ],
)
def test_next_index(seen: int, asked: int, index: int, early: bool, step: Step) -> None:
    assert next_index(seen, asked, index, early=early) == step


INDEX = st.integers(0, 2**64 - 1)


@given(INDEX, st.booleans(), INDEX, st.booleans())
def test_next_index_never_waits_on_what_it_did_not_get(
    seen: int, with_index: bool, index: int, early: bool
) -> None:
    step = next_index(seen, seen if with_index else 0, index, early=early)
    assert step.ask in (0, index)
    assert step.reset == (index < seen or index == 0)
    assert step.changed or index == seen


def test_an_index_that_goes_down_starts_again_from_none(fake: FakeConsul) -> None:
    fake.say(listing([1], 50), listing([], 7), listing([2], 60), fake_consul.HANG)
    assert updates(fake, 3) == [
        Update([1], 50, changed=True, reset=False, size=3),
        Update([], 7, changed=True, reset=True, size=2),
        Update([2], 60, changed=True, reset=False, size=3),
    ]
    assert asked_with(fake)[:3] == [None, "50", None]


def test_an_early_answer_with_the_same_index_is_read_again_without_one(fake: FakeConsul) -> None:
    fake.say(listing(["old"], 50), listing(["old"], 50), listing(["new"], 50), fake_consul.HANG)
    got = updates(fake, 3)
    assert [(one.value, one.changed, one.reset) for one in got] == [
        (["old"], True, False),
        (["old"], False, False),
        (["new"], True, False),
    ]
    assert asked_with(fake)[:3] == [None, "50", None]


def test_after_an_early_answer_a_lower_index_is_still_a_reset(fake: FakeConsul) -> None:
    fake.say(listing([1], 50), listing([1], 50), listing([], 9), fake_consul.HANG)
    assert [one.reset for one in updates(fake, 3)] == [False, False, True]


def test_it_asks_stale_with_its_wait_and_from_the_given_index(fake: FakeConsul) -> None:
    fake.say(listing([1], 50), fake_consul.HANG)
    updates(fake, 1, from_index=40, wait_s=12.5)
    assert fake.asked[0].query == {"index": "40", "wait": "12500ms", "stale": "1"}


def test_answers_that_do_not_count_are_asked_for_again_with_the_same_index(
    fake: FakeConsul,
) -> None:
    fake.say(
        listing([1], 50),
        listing([], 51, leader=False),
        listing([], 51, last_contact_ms=60_000),
        fake_consul.failure("No cluster leader"),
        fake_consul.web_page(),
        listing([2], 52),
        fake_consul.HANG,
    )
    faults: list[ConsulError] = []
    got = updates(fake, 2, faults=faults)
    assert [one.value for one in got] == [[1], [2]]
    assert [type(fault) for fault in faults] == [errors.NoLeader] * 3 + [errors.NotConsul]
    assert "60.0 s ago" in str(faults[1])
    assert asked_with(fake)[1:6] == ["50"] * 5


def test_without_on_error_a_watch_goes_on_silently(fake: FakeConsul) -> None:
    fake.say(fake_consul.failure("boom"), listing([1], 5), fake_consul.HANG)

    async def run() -> Update:
        async with (
            AsyncClient(Connection("dc1", fake.address)) as client,
            aclosing(watch(client, "/v1/kv/x")) as got,
        ):
            return await anext(got)

    assert asyncio.run(run()).value == [1]


def test_a_prefix_without_keys_is_none_not_an_error(fake: FakeConsul) -> None:
    fake.say(fake_consul.missing_prefix(9), fake_consul.HANG)
    assert updates(fake, 1) == [Update(None, 9, changed=True, reset=False, size=0)]


def test_a_path_that_does_not_exist_is_an_error(fake: FakeConsul) -> None:
    fake.say(fake_consul.failure("", 404), listing([], 3), fake_consul.HANG)
    faults: list[ConsulError] = []
    updates(fake, 1, faults=faults)
    assert [type(fault) for fault in faults] == [errors.NotFound]


def test_a_bad_connection_is_an_error_of_the_watch() -> None:
    async def run() -> ConsulError:
        heard: asyncio.Future[ConsulError] = asyncio.get_running_loop().create_future()

        async def note(error: ConsulError) -> None:
            if not heard.done():
                heard.set_result(error)

        async with AsyncClient(Connection("dc1", "nonsense")) as client:
            task = asyncio.ensure_future(anext(watch(client, "/v1/kv/x", on_error=note)))
            try:
                return await asyncio.wait_for(heard, 10)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    assert "no scheme" in str(asyncio.run(run()))


def test_a_path_without_an_index_is_not_asked_in_a_circle(
    fake: FakeConsul, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("consulops.consulapi.blocking.Backoff.next_s", lambda _: 0.0)
    sleep = asyncio.sleep

    async def count(delay_s: float) -> None:
        pauses.append(delay_s)
        await sleep(0)

    monkeypatch.setattr("consulops.consulapi.blocking.asyncio.sleep", count)
    fake.say(listing([1], ""))
    got = updates(fake, 4)
    assert all(one.reset and one.changed for one in got)
    assert len(pauses) == 3


def test_a_busy_watch_asks_only_when_its_limiter_lets_it(fake: FakeConsul) -> None:
    fake.say(*(listing([], index) for index in range(1, 30)))

    class Gate(TokenBucket):
        taken = 0
        shut = asyncio.Event()

        async def take(self) -> None:
            self.taken += 1
            if self.taken > 3:
                self.shut.set()
                await asyncio.Event().wait()

    async def run() -> None:
        gate = Gate()
        async with watching(fake.address, limiter=gate) as update:
            for _ in range(3):
                await update()
            waiting = asyncio.ensure_future(update())
            await asyncio.wait_for(gate.shut.wait(), 20)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(run())
    assert len(fake.asked) == 3


def test_cancelling_closes_the_request_that_waits(fake: FakeConsul) -> None:
    fake.say(fake_consul.HANG)

    async def run() -> None:
        async with AsyncClient(Connection("dc1", fake.address)) as client:
            task = asyncio.ensure_future(anext(watch(client, "/v1/kv/x")))
            await asyncio.to_thread(fake.wait_asked, 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(fake.wait_left)

    asyncio.run(run())


def test_a_server_that_hangs_is_given_up_after_wait_and_margin(fake: FakeConsul) -> None:
    fake.say(listing([1], 5), fake_consul.HANG, listing([2], 6), fake_consul.HANG)
    faults: list[ConsulError] = []

    async def run() -> list[Any]:
        connection = Connection("dc1", fake.address)

        async def note(error: ConsulError) -> None:
            faults.append(error)

        async with (
            AsyncClient(connection, timeout_s=0.2) as client,
            aclosing(watch(client, "/v1/kv/x", wait_s=0.16, on_error=note)) as got,
        ):
            return [(await asyncio.wait_for(anext(got), 20)).value for _ in range(2)]

    assert asyncio.run(run()) == [[1], [2]]
    assert [str(fault) for fault in faults] == [
        "dc1: GET /v1/kv/x: No answer within 0.37 s. "
        "The server may be overloaded, frozen or behind a firewall."
    ]


@pytest.mark.consul
def test_a_failing_check_wakes_the_watch_of_a_real_consul(consul: LocalCluster) -> None:
    consul.register_service("capi-wake")

    async def run() -> Update:
        path, query = "/v1/health/state/critical", {"filter": 'CheckID == "capi-wake"'}
        async with watching(consul.address, path, params=query) as update:
            first = await update()
            assert (first.value, first.changed) == ([], True)
            waiting = asyncio.ensure_future(update())
            await asyncio.to_thread(consul.set_check, "capi-wake", "critical", "it fell over")
            return await waiting

    update = asyncio.run(run())
    assert [check["Output"] for check in update.value] == ["it fell over"]
    assert update.changed


@pytest.mark.consul
def test_a_quiet_watch_of_a_real_consul_gives_signs_of_life(consul: LocalCluster) -> None:
    async def run() -> list[Update]:
        async with watching(consul.address, "/v1/kv/capi/quiet", wait_s=0.2) as update:
            return [await update() for _ in range(3)]

    got = asyncio.run(run())
    assert [one.changed for one in got] == [True, False, False]
    assert {one.index for one in got} == {got[0].index}


@pytest.mark.consul
def test_a_watch_outlives_a_frozen_and_a_killed_server(fresh_consul: LocalCluster) -> None:
    faults: list[ConsulError] = []

    async def run() -> list[Any]:
        client = AsyncClient(Connection("dc1", fresh_consul.address), timeout_s=0.5)
        troubled = asyncio.Event()

        async def note(error: ConsulError) -> None:
            faults.append(error)
            troubled.set()

        async with (
            client,
            aclosing(watch(client, "/v1/kv/capi", wait_s=0.5, on_error=note)) as got,
        ):
            values = [(await anext(got)).value]
            for hurt, heal in (
                (fresh_consul.freeze_server, fresh_consul.thaw_server),
                (fresh_consul.kill_server, fresh_consul.start_server),
            ):
                troubled.clear()
                await asyncio.to_thread(hurt, 0)
                waiting = asyncio.ensure_future(anext(got))
                await asyncio.wait_for(troubled.wait(), 20)
                await asyncio.to_thread(heal, 0)
                values.append((await asyncio.wait_for(waiting, 30)).value)
            return values

    assert asyncio.run(run()) == [None, None, None]
    assert errors.TimedOut in {type(fault) for fault in faults}
    assert errors.Unreachable in {type(fault) for fault in faults}

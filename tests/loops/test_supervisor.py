"""Supervisors side by side in one process: sharing, handing over, losing leases, crashing loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import LiteralString

import psycopg
import pytest
from django.db import OperationalError

from consulops.core import postgres
from consulops.loops import registry
from consulops.loops.context import Context, LeaseLost
from consulops.loops.models import Lease
from consulops.loops.models import Supervisor as SupervisorRow
from consulops.loops.registry import Loop
from consulops.loops.supervisor import Pace, Supervisor
from tests.loops.diary import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = Pace(beat_s=0.2, first_pause_s=0.01, longest_pause_s=0.05)
Body = Callable[[Context], Awaitable[None]]


class Witness(Loop):
    """Knows which of its keys run, and under which epoch; tells whoever waits for a change."""

    kind = "witness"

    def __init__(self, *keys: str) -> None:
        self.wanted = [f"witness:{key}" for key in keys]
        self.running: dict[str, Context] = {}
        self.starts: list[str] = []
        self.body: Body | None = None
        self._changed = asyncio.Event()

    def keys(self) -> list[str]:
        return self.wanted

    async def run(self, context: Context) -> None:
        assert context.key not in self.running, "two run the same loop"
        self.running[context.key] = context
        self.starts.append(context.key)
        self._changed.set()
        try:
            if self.body is not None:
                await self.body(context)
            await asyncio.Event().wait()
        finally:
            del self.running[context.key]
            self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await self._changed.wait()
                self._changed.clear()

    def owners(self) -> list[int]:
        """How many loops each owner runs."""
        owners = [context.owner for context in self.running.values()]
        return sorted(owners.count(owner) for owner in set(owners))


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    monkeypatch.setattr(registry, "_loops", {})
    loop = Witness("1", "2", "3", "4")
    registry.register(loop)
    yield loop
    assert not loop.running


@asynccontextmanager
async def supervisor(pace: Pace = QUICK) -> AsyncIterator[Supervisor]:
    one = Supervisor(pace)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        one.stop()
        await task


def sql(statement: LiteralString, *parameters: str) -> None:
    """Runs it at once, on a connection beside those of the supervisors."""
    with psycopg.connect(**postgres.listen_parameters(), autocommit=True) as link:
        link.execute(statement, parameters)


def test_two_share_and_the_one_that_is_left_runs_all(witness: Witness) -> None:
    async def story() -> None:
        async with supervisor():
            await witness.until(lambda: witness.owners() == [4])
            async with supervisor():
                await witness.until(lambda: witness.owners() == [2, 2])
            await witness.until(lambda: witness.owners() == [4])

    asyncio.run(story())
    assert not SupervisorRow.objects.exists()
    assert set(Lease.objects.values_list("owner", flat=True)) == {""}


def test_hands_over_when_its_time_is_over(witness: Witness) -> None:
    async def story() -> None:
        await asyncio.wait_for(Supervisor(Pace(beat_s=0.2, run_s=0.5)).run(), PATIENCE_S)
        assert len(witness.starts) == 4
        async with supervisor():
            await witness.until(lambda: len(witness.starts) == 8)

    asyncio.run(story())


def test_ends_when_its_database_thread_hangs_and_says_where(
    witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    free = threading.Event()

    def hang() -> None:
        free.wait()

    async def hang_once(context: Context) -> None:
        if len(witness.starts) == 1:
            await context.database(hang)

    async def story() -> None:
        witness.body = hang_once
        await asyncio.wait_for(Supervisor(Pace(beat_s=0.2, stuck_s=0.5)).run(), PATIENCE_S)
        # Its leases are free at once, though its thread is still there.
        async with supervisor():
            await witness.until(lambda: witness.owners() == [4])

    try:
        asyncio.run(story())
    finally:
        free.set()
        for thread in threading.enumerate():
            if thread.name.startswith("database"):
                thread.join(PATIENCE_S)
    assert "the database thread is stuck" in caplog.text
    assert "in hang" in caplog.text


def test_runs_what_is_added_and_ends_what_is_removed(witness: Witness) -> None:
    async def story() -> None:
        # Without the bell it would look only after ten minutes.
        async with supervisor(Pace(beat_s=600)):
            await witness.until(lambda: len(witness.running) == 4)
            witness.wanted = ["witness:2", "witness:5"]
            sql("SELECT pg_notify(%s, '')", postgres.LOOPS)
            await witness.until(lambda: set(witness.running) == {"witness:2", "witness:5"})
            assert witness.starts.count("witness:2") == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE loops_lease SET expires_at = now() - interval '1 second'",
        "UPDATE loops_lease SET owner = 'thief', epoch = epoch + 1, expires_at = now()",
    ],
    ids=["lapsed", "taken and lapsed"],
)
def test_lost_leases_end_the_loops_and_are_taken_anew(witness: Witness, how: LiteralString) -> None:
    async def story() -> None:
        async with supervisor():
            await witness.until(lambda: len(witness.running) == 4)
            before = {key: context.epoch for key, context in witness.running.items()}
            sql(how)
            await witness.until(lambda: len(witness.starts) == 8 and len(witness.running) == 4)
            for key, context in witness.running.items():
                assert context.epoch > before[key]

    asyncio.run(story())


def test_crashed_loop_is_noted_and_runs_again(witness: Witness) -> None:
    async def crash_twice(context: Context) -> None:
        if context.subject == "1" and witness.starts.count(context.key) <= 2:
            raise ValueError("this went wrong")

    async def story() -> None:
        witness.body = crash_twice
        async with supervisor():
            await witness.until(
                lambda: witness.starts.count("witness:1") == 3 and "witness:1" in witness.running
            )
            assert witness.starts.count("witness:2") == 1

    asyncio.run(story())
    lease = Lease.objects.get(key="witness:1")
    assert lease.restarts == 2
    assert "ValueError: this went wrong" in lease.error
    assert lease.error_at is not None
    assert not Lease.objects.exclude(key="witness:1").filter(restarts__gt=0).exists()


def test_loop_that_the_database_failed_runs_again_soon_however_often(witness: Witness) -> None:
    async def lose_the_database(context: Context) -> None:
        if context.subject == "1" and witness.starts.count(context.key) <= 5:
            raise OperationalError("the connection is closed")

    async def story() -> None:
        witness.body = lose_the_database
        patient = Pace(beat_s=0.2, first_pause_s=1000, database_pause_s=0.01)
        async with supervisor(patient):
            await witness.until(
                lambda: witness.starts.count("witness:1") == 6 and "witness:1" in witness.running
            )

    asyncio.run(story())
    assert "the connection is closed" in Lease.objects.get(key="witness:1").error


def test_loop_that_finds_its_lease_lost_stops_without_being_noted(witness: Witness) -> None:
    async def lose_once(context: Context) -> None:
        if context.key not in lost:
            lost.add(context.key)
            sql("UPDATE loops_lease SET epoch = epoch + 1 WHERE key = %s", context.key)
            with pytest.raises(LeaseLost):
                await context.database(context.fence)
            raise LeaseLost

    lost = set[str]()

    async def story() -> None:
        witness.body = lose_once
        async with supervisor():
            await witness.until(lambda: len(witness.starts) == 8 and len(witness.running) == 4)

    asyncio.run(story())
    assert not Lease.objects.filter(restarts__gt=0).exists()


def test_loops_end_when_the_leases_cannot_be_renewed(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consulops.loops.leases.LIFE_S", 0.5)

    async def story() -> None:
        async with supervisor():
            await witness.until(lambda: len(witness.running) == 4)
            sql("ALTER TABLE loops_lease RENAME TO away")
            try:
                await witness.until(lambda: not witness.running)
            finally:
                sql("ALTER TABLE away RENAME TO loops_lease")
            await witness.until(lambda: len(witness.running) == 4)

    asyncio.run(story())


def test_bell_of_a_loop_rings_for_a_channel_of_its_own(witness: Witness) -> None:
    heard = list[bool]()

    async def listen(context: Context) -> None:
        if context.subject != "1":
            return
        bell = context.bell("channel_of_my_own")
        # The first rings because listening has begun: what happened before must be looked for.
        heard.append(await bell.wait(PATIENCE_S))
        heard.append(await bell.wait(0.01))
        sql("SELECT pg_notify('channel_of_my_own', 'x')")
        heard.append(await bell.wait(PATIENCE_S))
        heard.append(await bell.wait(0))
        witness._changed.set()

    async def story() -> None:
        witness.body = listen
        async with supervisor():
            await witness.until(lambda: len(heard) == 4)

    asyncio.run(story())
    assert heard == [True, False, True, False]


def test_bells_ring_after_a_gap_in_the_listening(witness: Witness) -> None:
    heard = list[bool]()

    async def listen(context: Context) -> None:
        bell = context.bell(postgres.DELIVERIES)
        while not await bell.wait(0.1):
            sql("SELECT pg_notify(%s, '')", postgres.DELIVERIES)
        while await bell.wait(0.1):
            pass
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
        )
        heard.append(await bell.wait(PATIENCE_S))
        witness._changed.set()

    async def story() -> None:
        witness.wanted = ["witness:1"]
        witness.body = listen
        async with supervisor():
            await witness.until(lambda: heard == [True])

    asyncio.run(story())

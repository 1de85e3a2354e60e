"""A loop that notes in a table who runs it, through the fence; the table is the tests' witness."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from django.db import connection, transaction

from consulops.core import postgres
from consulops.loops.context import Context
from consulops.loops.registry import Loop

# One row more: a key that should run.
TABLES = """
CREATE TABLE wanted (key text PRIMARY KEY);
CREATE TABLE diary (id bigserial PRIMARY KEY, key text, owner text, epoch bigint, pid int);
"""
DROP = "DROP TABLE wanted, diary"
CHANNEL = "diary"
PATIENCE_S = 30.0


class Scribe(Loop):
    """Writes a line all the time, as the product's loops write what they learn."""

    kind = "scribe"

    def keys(self) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT key FROM wanted")
            return [key for (key,) in cursor.fetchall()]

    async def run(self, context: Context) -> None:
        while True:
            await context.database(write, context)
            await asyncio.sleep(0.05)


def write(context: Context) -> None:
    with transaction.atomic():
        context.fence()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO diary (key, owner, epoch, pid) VALUES (%s, %s, %s, %s)",
                [context.key, context.owner, context.epoch, os.getpid()],
            )
        postgres.notify(CHANNEL)


@dataclass(frozen=True, slots=True)
class Line:
    id: int
    key: str
    owner: str
    epoch: int
    pid: int


class Diary:
    """Reads what the scribes wrote, over a connection of its own."""

    def __init__(self, link: psycopg.Connection[tuple[object, ...]]) -> None:
        self._link = link
        link.execute(f"LISTEN {CHANNEL}")
        link.execute(f"LISTEN {postgres.LOOPS}")

    def want(self, *keys: str) -> None:
        self._link.execute("DELETE FROM wanted")
        for key in keys:
            self._link.execute("INSERT INTO wanted VALUES (%s)", [key])
        self._link.execute("SELECT pg_notify(%s, '')", [postgres.LOOPS])

    def lines(self, after: int = 0) -> list[Line]:
        rows = self._link.execute(
            "SELECT id, key, owner, epoch, pid FROM diary WHERE id > %s ORDER BY id", [after]
        )
        return [Line(*row) for row in rows.fetchall()]  # type: ignore[arg-type]  # rows are untyped

    def last_id(self) -> int:
        return max((line.id for line in self.lines()), default=0)

    def wait_until(self, seen: Callable[[list[Line]], bool], after: int = 0) -> list[Line]:
        """Waits, from note to note, until the lines after this one are as asked."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            lines = self.lines(after)
            if seen(lines):
                return lines
            list(self._link.notifies(timeout=0.5, stop_after=1))
        raise AssertionError(f"not seen in {PATIENCE_S} s; the diary ends with {lines[-5:]}")

    def wait_for_all(self, keys: list[str], after: int = 0) -> list[Line]:
        return self.wait_until(lambda lines: {line.key for line in lines} >= set(keys), after)


def assert_one_writer_at_a_time(lines: list[Line]) -> None:
    """Ids are given under the fence's lock: in their order, no old epoch follows a newer one."""
    for key in {line.key for line in lines}:
        own = [line for line in lines if line.key == key]
        assert [line.epoch for line in own] == sorted(line.epoch for line in own)
        owner_of_epoch = {(line.epoch, line.owner) for line in own}
        assert len(owner_of_epoch) == len({epoch for epoch, _ in owner_of_epoch})

"""Both transports behind one face, and a fake server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from consulops.consulapi import Answer, AsyncClient, Client, Connection
from tests.fake_consul import FakeConsul


class Read(Protocol):
    def __call__(
        self, connection: Connection, path: str = ..., timeout_s: float = ..., **more: Any
    ) -> Answer: ...


def read_sync(
    connection: Connection, path: str = "/v1/x", timeout_s: float = 10.0, **more: Any
) -> Answer:
    with Client(connection, timeout_s) as client:
        return client.read(path, **more)


def read_async(
    connection: Connection, path: str = "/v1/x", timeout_s: float = 10.0, **more: Any
) -> Answer:
    async def run() -> Answer:
        async with AsyncClient(connection, timeout_s) as client:
            return await client.read(path, **more)

    return asyncio.run(run())


@pytest.fixture(params=[read_sync, read_async], ids=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Read:
    """One read with a client of its own, once with each transport."""
    reader: Read = request.param
    return reader


@pytest.fixture
def fake() -> Iterator[FakeConsul]:
    with FakeConsul() as server:
        yield server

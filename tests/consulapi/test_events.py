"""User events of a real Consul: listed, waited for, fired, refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from consulops.consulapi import (
    AsyncClient,
    Client,
    Connection,
    ConsulError,
    fire_event,
    watch_events,
)
from consulops.consulapi.errors import BadAnswer, PermissionDenied
from consulops.lab.cluster import LocalCluster
from tests.receivers import Answer, Request, WebhookReceiver

pytestmark = pytest.mark.consul


@pytest.fixture
def client(fresh_consul: LocalCluster) -> Iterator[Client]:
    with Client(Connection("dc1", fresh_consul.address)) as opened:
        yield opened


@asynccontextmanager
async def lists(address: str) -> AsyncIterator[asyncio.Queue[list[str] | ConsulError]]:
    """The names in each list of a watch, and its errors, as they come."""
    heard: asyncio.Queue[list[str] | ConsulError] = asyncio.Queue()

    async def follow(client: AsyncClient) -> None:
        async with aclosing(watch_events(client, on_error=heard.put)) as updates:
            async for found in updates:
                await heard.put([event.name for event in found])

    async with AsyncClient(Connection("dc1", address)) as client:
        task = asyncio.create_task(follow(client))
        yield heard
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_each_event_wakes_the_watch_at_once(client: Client, fresh_consul: LocalCluster) -> None:
    async def main() -> None:
        async with lists(fresh_consul.address) as heard:
            assert await heard.get() == []
            for number in range(1, 6):
                await asyncio.to_thread(fire_event, client, f"n{number}", b"")
                assert await heard.get() == [f"n{one}" for one in range(1, number + 1)]
            assert heard.empty()

    asyncio.run(main())


def test_an_event_comes_back_as_it_was_fired(client: Client) -> None:
    fired = fire_event(
        client, "odd name/ü?", b"\xff\x00text", node=".*", service="consul", tag="a|b"
    )
    assert (fired.name, fired.payload, fired.version) == ("odd name/ü?", b"\xff\x00text", 1)
    assert (fired.node_filter, fired.service_filter, fired.tag_filter) == (".*", "consul", "a|b")


def test_what_consul_refuses_is_said(client: Client) -> None:
    with pytest.raises(ConsulError, match="configured limit of 512 bytes"):
        fire_event(client, "big", b"x" * 600)
    with pytest.raises(ConsulError, match="Invalid node filter"):
        fire_event(client, "a", b"", node="(")
    with pytest.raises(ConsulError, match="tag filter without service filter"):
        fire_event(client, "a", b"", tag="x")


def test_a_token_without_the_right(consul_binary: Path) -> None:
    with (
        LocalCluster(consul_binary, acl=True) as guarded,
        Client(Connection("dc1", guarded.address)) as client,
        pytest.raises(PermissionDenied) as refused,
    ):
        fire_event(client, "a", b"")
    assert "event:write" in refused.value.advice


def test_a_watch_goes_on_after_its_agent_was_away(
    client: Client, fresh_consul: LocalCluster
) -> None:
    async def main() -> None:
        async with lists(fresh_consul.address) as heard:
            assert await heard.get() == []
            await asyncio.to_thread(fresh_consul.kill_server, 0)
            assert isinstance(await heard.get(), ConsulError)
            await asyncio.to_thread(fresh_consul.start_server, 0)
            while isinstance(found := await heard.get(), ConsulError):
                pass
            assert found == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "body", ['{"a": 1}', '[{"ID": "x"}]', "[1]", '[{"ID": 1, "Name": "n", "Payload": "="}]']
)
def test_what_is_no_list_of_events(body: str) -> None:
    async def main(address: str) -> object:
        async with lists(address) as heard:
            return await heard.get()

    with WebhookReceiver() as other:
        other.answer = Answer(body=body)
        error = asyncio.run(main(other.url.removesuffix("/hook")))
    assert isinstance(error, BadAnswer)
    assert "no list of events" in error.text


def test_a_list_without_an_index_is_not_asked_for_in_a_circle() -> None:
    async def main(address: str) -> int:
        async with lists(address) as heard:
            assert await heard.get() == []
            assert await heard.get() == []
            return heard.qsize()

    with WebhookReceiver() as other:
        other.answer = Answer(body="[]")
        assert asyncio.run(main(other.url.removesuffix("/hook"))) == 0


def test_an_index_that_goes_back_is_as_good_as_any() -> None:
    """They are hashes of ids."""

    def answer(request: Request) -> Answer:
        turn = len(other.requests)
        index = {1: "7", 2: "3"}.get(turn, "")
        return Answer(body="[]", headers={"X-Consul-Index": index}, hang=turn > 2)

    async def main(address: str) -> list[str]:
        async with lists(address):
            asked = await asyncio.to_thread(other.take, 3)
            return [request.path for request in asked]

    with WebhookReceiver() as other:
        other.answer = answer
        paths = asyncio.run(main(other.url.removesuffix("/hook")))
    assert paths == [
        "/v1/event/list",
        "/v1/event/list?index=7&wait=30000ms",
        "/v1/event/list?index=3&wait=30000ms",
    ]

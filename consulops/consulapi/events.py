"""User events: the list that one agent keeps of them, and firing one."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from consulops.consulapi import errors
from consulops.consulapi.aio import AsyncClient
from consulops.consulapi.answers import Answer
from consulops.consulapi.client import Client
from consulops.consulapi.errors import ConsulError, Place
from consulops.consulapi.pace import Backoff, TokenBucket

LIST = "/v1/event/list"
# An agent keeps so many events, the oldest first, and forgets them when it restarts.
KEPT = 256


@dataclass(frozen=True, slots=True)
class UserEvent:
    """One event as an agent tells of it; the filters say which agents take notice of it."""

    id: str
    name: str
    payload: bytes
    node_filter: str
    service_filter: str
    tag_filter: str
    version: int
    ltime: int


async def watch_events(
    client: AsyncClient,
    *,
    wait_s: float = 30.0,
    on_error: Callable[[ConsulError], Awaitable[None]] | None = None,
) -> AsyncGenerator[list[UserEvent], None]:
    """Yields the agent's list after every answer, for ever; errors go to on_error.

    The index is a hash of the last event's id, so one that "went back" means nothing, and the
    answer names no leader, since the list is the agent's own (agent/event_endpoint.go).
    """
    limiter, backoff, index = TokenBucket(), Backoff(), 0
    place = Place(client.connection.name, f"GET {LIST}", client.connection.token)
    while True:
        await limiter.take()
        try:
            answer = await client.read(LIST, index=index, wait_s=wait_s)
            found = _parse(answer, place)
        except ConsulError as error:
            if on_error is not None:
                await on_error(error)
            await asyncio.sleep(backoff.next_s())
            continue
        yield found
        index = answer.index
        if index:
            backoff.reset()
        else:
            # Without an index nothing can be waited for.
            await asyncio.sleep(backoff.next_s())


def fire_event(
    client: Client, name: str, payload: bytes, *, node: str = "", service: str = "", tag: str = ""
) -> UserEvent:
    """Fires an event in the connection's datacenter and returns it with its id.

    The filters are regular expressions; a tag needs a service. Raises ConsulError: with Consul's
    own limit, name, filters and payload may have 512 bytes together.
    """
    given = {"node": node, "service": service, "tag": tag}
    path = f"/v1/event/fire/{name}"
    answer = client.write("PUT", path, payload, {key: one for key, one in given.items() if one})
    place = Place(client.connection.name, f"PUT {path}", client.connection.token)
    return _event(answer.value, place)


def _parse(answer: Answer, place: Place) -> list[UserEvent]:
    if not isinstance(answer.value, list):
        raise _bad(place)
    return [_event(entry, place) for entry in answer.value]


def _event(entry: Any, place: Place) -> UserEvent:
    try:
        return UserEvent(
            id=_text(entry["ID"]),
            name=_text(entry["Name"]),
            payload=base64.b64decode(entry["Payload"] or "", validate=True),
            node_filter=_text(entry["NodeFilter"]),
            service_filter=_text(entry["ServiceFilter"]),
            tag_filter=_text(entry["TagFilter"]),
            version=int(entry["Version"]),
            ltime=int(entry["LTime"]),
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _bad(place) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bad(place: Place) -> errors.BadAnswer:
    return place.error(
        errors.BadAnswer,
        "The answer is no list of events.",
        "See whether the address is that of a Consul agent and no proxy stands between.",
    )

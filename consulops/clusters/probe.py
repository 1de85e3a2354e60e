"""Asks a cluster who leads, who votes and how many more servers may fail."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consulops.consulapi import Answer, AsyncClient, ConsulError
from consulops.consulapi.errors import NoLeader

# Each question has its own: without a leader `operator/*` takes seconds to fail.
DEADLINE_S = 1.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What one round of questions found out.

    An empty leader means that there is none; a failure_tolerance of None that the token may not
    ask for it (operator:read) or that no answer came in time.
    """

    at: datetime
    datacenter: str
    version: str
    leader: str
    peers: tuple[str, ...]
    failure_tolerance: int | None


async def ask(client: AsyncClient, at: datetime) -> Probe:
    """Asks all questions side by side. Raises ConsulError when Consul does not say who leads."""
    agent, leader, peers, health = await asyncio.gather(
        _try(client, "/v1/agent/self"),
        _try(client, "/v1/status/leader"),
        _try(client, "/v1/status/peers"),
        # 429 is how it says "not healthy"; the body is the same.
        _try(client, "/v1/operator/autopilot/health", 429),
    )
    if isinstance(leader, ConsulError) and not isinstance(leader, NoLeader):
        raise leader
    config = _dict(_dict(_value(agent)).get("Config"))
    datacenter = client.connection.datacenter or str(config.get("Datacenter", ""))
    return Probe(
        at=at,
        datacenter=datacenter,
        # Of a remote datacenter the agent's own version says nothing.
        version=str(config.get("Version", "")) if datacenter == config.get("Datacenter") else "",
        leader=_text(_value(leader)),
        peers=tuple(sorted(_text(peer) for peer in _list(_value(peers)))),
        failure_tolerance=_number(_dict(_value(health)).get("FailureTolerance")),
    )


async def _try(client: AsyncClient, path: str, *also_ok: int) -> Answer | ConsulError:
    try:
        return await client.read(path, consistency="stale", timeout_s=DEADLINE_S, also_ok=also_ok)
    except ConsulError as error:
        return error


def _value(answer: Answer | ConsulError) -> Any:
    return None if isinstance(answer, ConsulError) else answer.value


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value[:255] if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

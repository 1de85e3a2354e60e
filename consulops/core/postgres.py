"""PostgreSQL's LISTEN/NOTIFY: how processes wake each other without polling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

# One channel for each kind of news; the payload is a name, never data.
LIVE = "consulops_live"
TASKS = "consulops_tasks"
LOOPS = "consulops_loops"
DELIVERIES = "consulops_deliveries"
NOTICES = "consulops_notices"
EVENTS = "consulops_events"


def notify(channel: str, payload: str = "") -> None:
    """Rings a channel when the current transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])


def listen_parameters() -> dict[str, Any]:
    """How to open a connection of our own: LISTEN must not go through Django's or a pool."""
    parameters: dict[str, Any] = connection.get_connection_params()
    for key in ("pool", "cursor_factory", "context", "server_side_binding"):
        parameters.pop(key, None)
    parameters.pop("prepare_threshold", None)
    return parameters


async def listen(*channels: str) -> AsyncIterator[tuple[str, str]]:
    """Yields (channel, payload) for ever; raises psycopg.OperationalError when the link breaks.

    The first item is ("", "") once listening has begun: whatever happened before must be read
    from the tables, whatever happens after is heard.
    """
    async with await psycopg.AsyncConnection.connect(
        **await asyncio.to_thread(listen_parameters), autocommit=True
    ) as link:
        for channel in channels:
            await link.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield "", ""
        async for news in link.notifies():
            yield news.channel, news.payload

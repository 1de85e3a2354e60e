"""The queue of tasks: django-q2's own table, without polling and without two takers in a race."""

from __future__ import annotations

import logging
import os
from typing import Any

import psycopg
from django.db import transaction
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from psycopg import sql

from consulops.core import postgres
from consulops.loops import lifeline, presence

log = logging.getLogger(__name__)

# How long one look at an empty queue may last: django-q2 can stop only between two looks, and a
# task that becomes due by the passing of time (a retry) is not announced.
WAIT_S = 1.0

_TAKE = """
WITH due AS (
    SELECT id FROM django_q_ormq WHERE key = ANY(%s) AND lock <= now()
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE django_q_ormq AS task SET lock = now() + make_interval(secs => %s)
FROM due WHERE task.id = due.id
RETURNING task.id, task.payload
"""


def mailbox(cluster: str) -> str:
    """The queue that only the workers of this process take from; for a task meant for them."""
    return f"{cluster}@{lifeline.FAMILY}"


class ListenBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """Announces a task in the transaction that makes it, and waits for that on LISTEN."""

    # Opened by the first `dequeue`, which only the pusher's process calls: after the fork.
    _link: psycopg.Connection[tuple[int, str]] | None = None

    def enqueue(self, task: str) -> int:
        """Adds a task; it is seen when the current transaction commits, and vanishes with it."""
        key = self.list_key or Conf.CLUSTER_NAME
        queue = self.get_connection()
        with transaction.atomic(using=Conf.ORM):
            # The server's clock, as in `dequeue`: those of two machines may differ.
            row = queue.create(key=key, payload=task, lock=Now())
            postgres.notify(postgres.TASKS, key)
        return int(row.pk)

    def dequeue(self) -> list[tuple[int, str]]:
        """Takes the oldest due tasks, waiting about a second for the first."""
        try:
            if self._link is None:
                self._link = self._connect()
            tasks = self._take(self._link)
            if not tasks and list(self._link.notifies(timeout=WAIT_S, stop_after=1)):
                tasks = self._take(self._link)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("cannot take tasks: %s", str(error).strip())
            if self._link is not None:
                self._link.close()
                self._link = None
            lifeline.is_cut(WAIT_S)
            return []
        return tasks

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """The sentinel's sign of life, to the database: no cache here is shared by processes."""
        presence.beat(Conf.CLUSTER_NAME, os.getppid())

    def _connect(self) -> psycopg.Connection[tuple[int, str]]:
        parameters: dict[str, Any] = postgres.listen_parameters()
        link: psycopg.Connection[tuple[int, str]] = psycopg.Connection.connect(
            **parameters, autocommit=True
        )
        link.execute(sql.SQL("LISTEN {}").format(sql.Identifier(postgres.TASKS)))
        return link

    def _take(self, link: psycopg.Connection[tuple[int, str]]) -> list[tuple[int, str]]:
        keys = [self.list_key, mailbox(self.list_key)]
        return link.execute(_TAKE, [keys, Conf.BULK, Conf.RETRY]).fetchall()

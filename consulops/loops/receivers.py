"""What a worker of the cluster "watch" does besides its tasks: it keeps a supervisor in itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django_q.conf import Conf
from django_q.signals import post_spawn, pre_execute

from consulops.loops import lifeline, services

log = logging.getLogger(__name__)


def connect() -> None:
    """Connects the receivers, in the workers that run supervisors."""
    if services.WATCH == Conf.CLUSTER_NAME:
        post_spawn.connect(on_spawn, dispatch_uid="loops")
        pre_execute.connect(on_start, dispatch_uid="loops")


def on_spawn(**_: object) -> None:
    """A worker has started: it gets a supervisor of its own."""
    patiently(services.seed)


def on_start(task: dict[str, Any], **_: object) -> None:
    """A supervisor starts: its task is done with now, or a kill would leave it to come back."""
    if task["func"] == services.SUPERVISE:
        patiently(lambda: services.forget(task["ack_id"]))


def patiently(work: Callable[[], None]) -> None:
    """Does what must be done, as soon as the database answers, or not at all when we stop."""
    while not lifeline.is_cut():
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            log.warning("waiting for the database: %s", str(error).strip())
            connection.close()
            lifeline.is_cut(1)
    return None

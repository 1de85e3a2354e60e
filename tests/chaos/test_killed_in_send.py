"""The courier's process is killed -9 before, during and after a send: delivered all the same."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from consulops.alerts.models import Attempt, Delivery
from consulops.clusters.models import Cluster
from consulops.loops.models import Lease
from tests.alerts.factories import fail, make_cluster, make_notifier, make_route
from tests.chaos.timing import measured
from tests.chaos.worker import Worker
from tests.receivers import Answer, Request, WebhookReceiver
from tests.waiting import eventually

pytestmark = [pytest.mark.product, pytest.mark.django_db(transaction=True)]

WAIT_S = 60.0
# A transaction of somebody else's in which a statement waits for our lock.
BLOCKED = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


@pytest.fixture
def cluster(hook: WebhookReceiver, watch: Callable[[], Worker]) -> Cluster:
    """With a route to the hook, a worker that runs the courier, and nothing to tell yet."""
    make_route(make_notifier(url=hook.url, timeout_s=60))
    watch()
    eventually(Lease.objects.filter(key="courier").exclude(owner="").exists, WAIT_S)
    return make_cluster()


def courier() -> int:
    """The process that sends; its main process starts another in its place."""
    return int(Lease.objects.get(key="courier").owner.split(":")[1])


def wait_for_the_next(pid: int) -> None:
    with measured("the courier's process killed -9: sent by the next one"):
        eventually(lambda: Delivery.objects.get().state == "sent", WAIT_S)
    assert courier() != pid


def keys(hook: WebhookReceiver) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in hook.requests]


def test_before_the_send(cluster: Cluster, hook: WebhookReceiver) -> None:
    pid = courier()
    os.kill(pid, signal.SIGSTOP)
    # Committed, and nobody there who could send.
    fail(cluster)
    assert hook.requests == []
    os.kill(pid, signal.SIGKILL)
    wait_for_the_next(pid)
    assert keys(hook) == [str(Delivery.objects.get().key)]


def test_during_the_send(cluster: Cluster, hook: WebhookReceiver) -> None:
    hook.answer = Answer(hang=True)
    fail(cluster)
    hook.next()
    # It has the whole message and has not answered.
    hook.answer = Answer()
    pid = courier()
    os.kill(pid, signal.SIGKILL)
    wait_for_the_next(pid)
    assert keys(hook) == 2 * [str(Delivery.objects.get().key)]
    assert Attempt.objects.count() == 1


def test_after_the_answer_and_before_it_is_written_down(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    locked = threading.Event()

    def answer_late(request: Request) -> Answer:
        locked.wait(WAIT_S)
        return Answer()

    hook.answer = answer_late
    fail(cluster)
    hook.next()
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get()
        locked.set()
        eventually(_somebody_is_blocked)
        assert delivery.state == "queued"
        pid = courier()
        os.kill(pid, signal.SIGKILL)
    wait_for_the_next(pid)
    assert keys(hook) == 2 * [str(delivery.key)]
    assert Attempt.objects.count() == 1


def _somebody_is_blocked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(BLOCKED)
        return bool(cursor.fetchone()[0])

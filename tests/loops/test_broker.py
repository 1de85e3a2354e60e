"""The queue: a task is taken once, at once, and only if its transaction came to be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import transaction
from django_q.models import OrmQ

from consulops.loops import broker as brokers
from consulops.loops.broker import ListenBroker, mailbox
from tests.loops.diary import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[[], ListenBroker]


@pytest.fixture
def make() -> Iterator[Make]:
    """Brokers of the queue "tasks"; their connections end with the test."""
    made: list[ListenBroker] = []

    def new() -> ListenBroker:
        made.append(ListenBroker(list_key="tasks"))
        return made[-1]

    yield new
    for broker in made:
        if broker._link is not None:
            broker._link.close()


def test_takes_the_oldest_first_and_each_once(make: Make) -> None:
    broker = make()
    ids = [broker.enqueue("first"), broker.enqueue("second")]
    assert broker.dequeue() == [(ids[0], "first")]
    assert broker.dequeue() == [(ids[1], "second")]


def test_two_takers_never_take_the_same(make: Make) -> None:
    tasks = 100
    with transaction.atomic():
        for number in range(tasks):
            make().enqueue(str(number))
    ready = threading.Barrier(2)

    def take_all(broker: ListenBroker) -> list[int]:
        mine: list[int] = []
        ready.wait()
        while taken := broker.dequeue():
            mine += [task_id for task_id, _ in taken]
        return mine

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(take_all, [make(), make()])
    assert len(first) + len(second) == tasks
    assert len({*first, *second}) == tasks


def test_announced_task_ends_the_waiting(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "WAIT_S", PATIENCE_S)
    waiting, producer = make(), make()
    # Connects, so that what follows is heard and not found by the first look.
    producer.enqueue("before")
    assert waiting.dequeue()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(waiting.dequeue)
        task_id = producer.enqueue("announced")
        assert taken.result(PATIENCE_S / 2) == [(task_id, "announced")]


def test_task_is_seen_at_the_commit_and_not_before(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "WAIT_S", 0.05)
    broker = make()
    with transaction.atomic():
        broker.enqueue("later")
        assert broker.dequeue() == []
    assert [payload for _, payload in broker.dequeue()] == ["later"]


def test_rollback_leaves_no_task(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "WAIT_S", 0.05)
    broker = make()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        broker.enqueue("never")
        _ = 1 / 0
    assert broker.dequeue() == []
    assert not OrmQ.objects.exists()


def test_unacknowledged_task_comes_back_and_an_acknowledged_one_does_not(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "WAIT_S", 0.05)
    broker = make()
    broker.enqueue("task")
    ((task_id, _),) = broker.dequeue()
    assert broker.dequeue() == []
    OrmQ.objects.update(lock="2001-01-01T00:00:00Z")
    assert broker.dequeue() == [(task_id, "task")]
    broker.acknowledge(task_id)
    OrmQ.objects.update(lock="2001-01-01T00:00:00Z")
    assert broker.dequeue() == []


def test_takes_from_its_queue_and_its_mailbox_only(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "WAIT_S", 0.05)
    broker = make()
    ListenBroker(list_key="others").enqueue("not mine")
    ListenBroker(list_key="tasks@another").enqueue("not mine either")
    assert broker.dequeue() == []
    ListenBroker(list_key=mailbox("tasks")).enqueue("mine")
    assert [payload for _, payload in broker.dequeue()] == ["mine"]


def test_reconnects_when_the_link_breaks(
    make: Make, link: psycopg.Connection[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "WAIT_S", 0.05)
    broker = make()
    broker.dequeue()
    assert broker._link is not None
    link.execute("SELECT pg_terminate_backend(%s)", [broker._link.info.backend_pid])
    assert broker.dequeue() == []
    broker.enqueue("after")
    assert [payload for _, payload in broker.dequeue()] == ["after"]

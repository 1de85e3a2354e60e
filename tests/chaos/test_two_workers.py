"""Two families of workers over one database: they share, and each stands in for the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from consulops.alerts.models import Delivery
from consulops.health.models import Check, Transition
from consulops.lab.cluster import LocalCluster
from consulops.loops.models import Lease
from tests.alerts.factories import make_cluster, make_notifier, make_route, observation, see
from tests.chaos.timing import measured
from tests.chaos.worker import Worker
from tests.receivers import Answer, Request, WebhookReceiver
from tests.waiting import eventually

pytestmark = [pytest.mark.consul, pytest.mark.product, pytest.mark.django_db(transaction=True)]

WAIT_S = 60.0
COUNT = 60


def holders() -> dict[str, int]:
    """The process that holds each lease."""
    held = Lease.objects.exclude(owner="").values_list("key", "owner")
    return {key: int(owner.split(":")[1]) for key, owner in held}


def pids(worker: Worker) -> set[int]:
    return {process.pid for process in worker.family()}


def both_work(one: Worker, other: Worker) -> bool:
    working = set(holders().values())
    return bool(working & pids(one)) and bool(working & pids(other))


def all_held_by(worker: Worker) -> bool:
    return {"courier", "notices"} <= holders().keys() and set(holders().values()) <= pids(worker)


def keys(hook: WebhookReceiver) -> Counter[str]:
    return Counter(request.headers["Idempotency-Key"] for request in list(hook.requests))


def all_sent(count: int) -> bool:
    return Delivery.objects.filter(state="sent").count() == count


def test_they_share_and_the_one_that_is_left_does_all(
    fresh_consul: LocalCluster, hook: WebhookReceiver, watch: Callable[[], Worker]
) -> None:
    made = fresh_consul.register_many(2 * COUNT)
    make_cluster(address=fresh_consul.address)
    make_route(make_notifier(url=hook.url))
    one, other = watch(), watch()
    eventually(lambda: both_work(one, other), WAIT_S)
    eventually(lambda: Check.objects.count() == 2 * COUNT + 1, WAIT_S)
    fresh_consul.set_catalog_checks(made[:COUNT], "critical")
    eventually(lambda: all_sent(COUNT), WAIT_S)
    assert set(keys(hook).values()) == {1}
    # The one that watches Consul dies, and nobody starts it again.
    watcher = next(pid for key, pid in holders().items() if key.startswith("checks:"))
    dying, left = (one, other) if watcher in pids(one) else (other, one)
    dying.kill()
    fresh_consul.set_catalog_checks(made[COUNT:], "critical")
    with measured("one of two workers killed -9: what failed meanwhile was told"):
        eventually(lambda: all_sent(2 * COUNT), WAIT_S)
    eventually(lambda: all_held_by(left), WAIT_S)
    # The courier may have died as well, with what it had just sent.
    assert len(keys(hook)) == Delivery.objects.count() == Transition.objects.count() == 2 * COUNT


def test_one_that_was_stopped_and_goes_on_sends_only_what_was_under_way(
    hook: WebhookReceiver, watch: Callable[[], Worker]
) -> None:
    limit = 4
    make_route(make_notifier(url=hook.url, concurrency=limit, timeout_s=60))
    one, other = watch(), watch()
    eventually(lambda: both_work(one, other), WAIT_S)
    stopped, left = (one, other) if holders()["courier"] in pids(one) else (other, one)
    is_held = True

    def answer(request: Request) -> Answer:
        return Answer(hang=is_held)

    hook.answer = answer
    see(make_cluster(), *(observation(f"check-{number}") for number in range(COUNT)))
    under_way = {one.headers["Idempotency-Key"] for one in hook.take(limit)}
    stopped.freeze()
    try:
        is_held = False
        hook.let_go()
        with measured("one of two workers stopped: the other has sent all"):
            eventually(lambda: all_sent(COUNT), WAIT_S)
        before = holders()
    finally:
        stopped.thaw()
    # It has noticed when it takes its share again.
    eventually(lambda: both_work(stopped, left), WAIT_S)
    assert set(before.values()) <= pids(left)
    twice = {key for key, times in keys(hook).items() if times > 1}
    assert twice == under_way
    assert len(keys(hook)) == COUNT
    assert max(keys(hook).values()) == 2

"""A worker that is killed in the middle of its work loses nothing and invents nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from consulops.alerts.models import Delivery
from consulops.health.models import Check, Transition
from consulops.lab.cluster import LocalCluster
from consulops.loops.models import Lease
from tests.alerts.factories import make_cluster, make_notifier, make_route
from tests.chaos.hooks import hold_back_after, keys_by_check
from tests.chaos.worker import Worker
from tests.receivers import Answer, WebhookReceiver
from tests.waiting import eventually

pytestmark = [pytest.mark.consul, pytest.mark.product, pytest.mark.django_db(transaction=True)]

WAIT_S = 60.0
FAILING = 200


def pid_of_watcher() -> int:
    """The process that holds the lease of the check watcher."""
    return int(Lease.objects.get(key__startswith="checks:").owner.split(":")[1])


def test_killed_in_a_burst(
    fresh_consul: LocalCluster, hook: WebhookReceiver, watch: Callable[[], Worker]
) -> None:
    made = fresh_consul.register_many(FAILING)
    make_cluster(address=fresh_consul.address)
    make_route(make_notifier(url=hook.url))
    watch()
    # The server has a check of its own.
    eventually(lambda: Check.objects.count() == FAILING + 1, WAIT_S)
    hold_back_after(hook, 30)
    fresh_consul.set_catalog_checks(made[: FAILING // 2], "critical")
    eventually(lambda: len(hook.requests) > 30, WAIT_S)
    killed = pid_of_watcher()
    os.kill(killed, signal.SIGKILL)
    # While nobody watches, the other half fails.
    fresh_consul.set_catalog_checks(made[FAILING // 2 :], "critical")
    hook.answer = Answer()
    eventually(lambda: Delivery.objects.filter(state="sent").count() == FAILING, WAIT_S)
    assert pid_of_watcher() != killed
    names = sorted(check_id for _, check_id in made)
    history = Transition.objects.values_list("check_ref__check_id", "previous", "status")
    assert sorted(history) == [(name, "passing", "critical") for name in names]
    keys = keys_by_check(hook)
    assert sorted(keys) == names
    assert {len(one) for one in keys.values()} == {1}
    # What was under way at the kill came again, under the same key.
    assert len(hook.requests) > FAILING
    assert Delivery.objects.count() == FAILING

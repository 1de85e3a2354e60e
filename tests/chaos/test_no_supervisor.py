"""The workers that run the loops are dead and stay so: people hear of it all the same."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import Schedule
from psycopg.conninfo import make_conninfo

from consulops.alerts.models import Alert, Delivery
from consulops.core import postgres
from consulops.loops.models import Supervisor
from consulops.watchdog.judgement import SUPERVISOR
from tests.alerts.factories import make_notifier, make_route
from tests.chaos.worker import Worker
from tests.receivers import WebhookReceiver
from tests.waiting import eventually

pytestmark = [pytest.mark.product, pytest.mark.django_db(transaction=True)]

WAIT_S = 120.0


def test_a_dead_supervisor_is_told_and_then_the_end_of_it(
    hook: WebhookReceiver, tmp_path: Path
) -> None:
    make_route(make_notifier(url=hook.url), match={"check": SUPERVISOR})
    database = make_conninfo(**postgres.listen_parameters())

    def start(cluster: str, run: int = 1) -> Worker:
        log = tmp_path / f"{cluster}-{run}.log"
        return workers.enter_context(Worker(database, settings.DATA, log, cluster))

    with ExitStack() as workers:
        start("ops")
        watch = start("watch")
        eventually(Supervisor.objects.alive().exists, WAIT_S)
        watch.kill()
        told = hook.next(WAIT_S).json()
        assert (told["reason"], told["alerts"][0]["check"]) == ("opened", SUPERVISOR)
        # Another look tells nothing new.
        schedules = Schedule.objects.filter(func="consulops.watchdog.tasks.look")
        schedules.update(next_run=timezone.now())
        eventually(lambda: Delivery.objects.get().state == "sent", WAIT_S)
        start("watch", run=2)
        told = hook.next(WAIT_S).json()
        assert (told["reason"], told["alerts"][0]["check"]) == ("resolved", SUPERVISOR)
    assert Alert.objects.get(check_ref__check_id=SUPERVISOR).resolved_at is not None
    assert len(hook.requests) == 2

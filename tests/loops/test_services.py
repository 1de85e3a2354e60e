"""The supervisors' tasks never pile up, and what is dead is cleared away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task

from consulops.loops import schedules, services
from consulops.loops.broker import mailbox
from consulops.loops.models import Lease, Supervisor, Worker

pytestmark = pytest.mark.django_db

OWN = mailbox(services.WATCH)


def queued() -> list[str]:
    return list(OrmQ.objects.order_by("id").values_list("key", flat=True))


def alive(**changes: object) -> Supervisor:
    now = timezone.now()
    facts = {"owner": "h:1:f-x", "host": "h", "pid": 1, "started_at": now, "beat_at": now}
    return Supervisor.objects.create(**(facts | changes))


def test_seeding_again_and_again_leaves_one_task() -> None:
    for _ in range(3):
        services.seed()
    assert queued() == [OWN]


def test_started_task_is_surplus_only_while_another_waits() -> None:
    services.seed()
    services.seed()
    assert services.is_surplus()
    services.forget(OrmQ.objects.get().pk)
    assert not services.is_surplus()


def test_safety_net_asks_for_one_supervisor_when_none_lives() -> None:
    services.look_after()
    services.look_after()
    assert queued() == [services.WATCH]


def test_safety_net_asks_for_none_while_one_lives() -> None:
    alive()
    services.look_after()
    assert queued() == []


def test_what_is_dead_is_cleared_away() -> None:
    long_ago = timezone.now() - timedelta(days=30)
    alive(beat_at=long_ago)
    Worker.objects.create(process="ops", host="h", pid=1, started_at=long_ago, beat_at=long_ago)
    Lease.objects.create(key="not:wanted", expires_at=long_ago)
    OrmQ.objects.create(key=f"{services.WATCH}@dead", payload="", lock=long_ago)
    for number, success in enumerate([True, False]):
        Task.objects.create(
            id=f"{number:032}", func="f", started=long_ago, stopped=long_ago, success=success
        )
    services.look_after()
    assert not Supervisor.objects.exists()
    assert not Worker.objects.exists()
    assert not Lease.objects.exists()
    assert not Success.objects.exists()
    assert not Failure.objects.exists()
    assert queued() == [services.WATCH]


def test_schedules_are_made_once_and_follow_what_is_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedules, "_declared", {})
    schedules.register("each minute", "some.function", minutes=1)
    schedules.register("nightly", "some.other", cron="5 3 * * *")
    schedules.ensure()
    first = {row.name: (row.pk, row.next_run) for row in Schedule.objects.all()}
    schedules.ensure()
    assert {row.name: (row.pk, row.next_run) for row in Schedule.objects.all()} == first
    assert first["nightly"][1].hour == 3

    monkeypatch.setattr(schedules, "_declared", {})
    schedules.register("nightly", "some.other", cron="5 4 * * *")
    schedules.ensure()
    assert [row.cron for row in Schedule.objects.all()] == ["5 4 * * *"]


def test_schedule_needs_one_of_cron_and_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_declared", {})
    with pytest.raises(ValueError, match="either cron or minutes"):
        schedules.register("both", "f", cron="* * * * *", minutes=1)
    with pytest.raises(ValueError, match="either cron or minutes"):
        schedules.register("neither", "f")
    schedules.register("one", "f", minutes=1)
    with pytest.raises(ValueError, match="two schedules"):
        schedules.register("one", "f", minutes=1)

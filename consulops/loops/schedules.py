"""What runs by the clock: apps declare it in their `loops.py`, django-q2 runs it in "ops"."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule


@dataclass(frozen=True, slots=True)
class _Declared:
    func: str
    cron: str
    minutes: int | None


_declared: dict[str, _Declared] = {}


def register(name: str, func: str, *, cron: str = "", minutes: int | None = None) -> None:
    """Declares that the function at this dotted path runs every so many minutes or by cron (UTC).

    django-q2 looks for what is due every 30 s, so it may begin so much later.
    """
    if name in _declared:
        raise ValueError(f"two schedules with the name {name}")
    if bool(cron) == bool(minutes):
        raise ValueError(f"the schedule {name} needs either cron or minutes")
    _declared[name] = _Declared(func, cron, minutes)


def ensure() -> None:
    """Makes the table agree with what is declared; leaves the next run alone if nothing changed."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Several processes start at once, and django-q2's names are not unique.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('consulops schedules'))")
        Schedule.objects.exclude(name__in=_declared).delete()
        for name, declared in _declared.items():
            _ensure(name, declared)


def _ensure(name: str, declared: _Declared) -> None:
    wanted = {
        "func": declared.func,
        "schedule_type": Schedule.CRON if declared.cron else Schedule.MINUTES,
        "cron": declared.cron or None,
        "minutes": declared.minutes,
    }
    if Schedule.objects.filter(name=name, **wanted).exists():
        return
    schedule = Schedule(name=name, next_run=timezone.now(), **wanted)
    if declared.cron:
        schedule.next_run = schedule.calculate_next_run()
    schedule.full_clean()
    Schedule.objects.filter(name=name).delete()
    schedule.save()


register("Look after the loops", "consulops.loops.tasks.look_after", minutes=1)

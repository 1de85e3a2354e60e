"""The loops that watch our own work, and that tell somebody else that all is well."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from consulops.core import postgres
from consulops.core.crypto import WrongKey
from consulops.loops import schedules
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register
from consulops.watchdog import facts, heartbeat, services
from consulops.watchdog.judgement import Patience
from consulops.watchdog.models import Watchdog

PACE_S = 5.0

log = logging.getLogger(__name__)


class Watch(Loop):
    """Keeps our own checks true."""

    kind = "watchdog"

    def keys(self) -> list[str]:
        return [self.kind]

    async def run(self, context: Context) -> None:
        bell, patience, began = context.bell(postgres.LOOPS), Patience(), timezone.now()
        while True:
            await context.database(_look, context, patience, began)
            await bell.wait(PACE_S)


def _look(context: Context, patience: Patience, began: datetime) -> None:
    services.look(facts.read(timezone.now()), patience, began, context.fence)


class Heartbeat(Loop):
    """Pings the dead man's switch; there only while an address is set."""

    kind = "heartbeat"

    def keys(self) -> list[str]:
        return [self.kind] if Watchdog.objects.exclude(heartbeat_set_at=None).exists() else []

    async def run(self, context: Context) -> None:
        bell, began = context.bell(postgres.LOOPS), timezone.now()
        last: datetime | None = None
        while True:
            plan = await context.database(_plan, context, began)
            if plan is None:
                # Taken away a moment ago: the supervisor ends this loop at its next beat.
                await bell.wait(PACE_S)
                continue
            now = timezone.now()
            # Others ring this bell too.
            left_s = plan.every_s - (now - last).total_seconds() if last else 0.0
            if left_s > 0:
                await bell.wait(left_s)
                continue
            last = now
            if plan.error or (plan.reasons and not plan.tells_failure):
                error = plan.error or "; ".join(plan.reasons)
            else:
                answer = await heartbeat.ping(plan.url, plan.reasons)
                error = "; ".join(plan.reasons) if answer.ok else answer.answer
            if error:
                log.warning("no heartbeat: %s", error)
            await context.database(services.pinged, timezone.now(), error, context.fence)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next heartbeat is to say, and to whom."""

    url: str
    every_s: int
    tells_failure: bool
    reasons: list[str]
    error: str = ""


def _plan(context: Context, began: datetime) -> Plan | None:
    services.prove_writable(context.fence)
    now = timezone.now()
    found = facts.read(now)
    settings = Watchdog.load()
    if settings.heartbeat_set_at is None:
        return None
    reasons = heartbeat.troubles(found, facts.is_courier_stuck(found.terms, now), began)
    url, error = "", ""
    try:
        url = settings.heartbeat_url
    except WrongKey as wrong:
        error = str(wrong)
    return Plan(url, settings.heartbeat_every_s, settings.heartbeat_tells_failure, reasons, error)


register(Watch())
register(Heartbeat())
schedules.register("Look for a supervisor", "consulops.watchdog.tasks.look", minutes=1)

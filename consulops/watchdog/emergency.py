"""When no supervisor lives: says so, and delivers it, from a worker that does other things.

The loops cannot report their own death. The courier's lease is free by then, so its loop runs
here for a short while; what it sends is stamped as ever, and nothing is sent twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from consulops.alerts import lifecycle, outbox
from consulops.clusters.models import Cluster
from consulops.core import postgres
from consulops.core.status import Status
from consulops.loops import leases, registry
from consulops.loops.bells import Bells
from consulops.loops.context import Context
from consulops.loops.database import DatabaseThread
from consulops.loops.models import Worker
from consulops.loops.services import OPS
from consulops.loops.supervisor import identify
from consulops.watchdog import facts, services
from consulops.watchdog.judgement import SUPERVISOR, judge_supervisor

COURIER = "courier"
# So long without any sign of life: a supervisor gives one every two seconds.
SILENCE = timedelta(seconds=30)
# What is due is sent for so long at most; the next minute goes on with the rest.
SEND_S = 40.0
LOOK_EVERY_S = 0.25

log = logging.getLogger(__name__)


def look() -> str:
    """Finds out whether a supervisor lives; without one alerts and delivers what is due."""
    if not is_silent(timezone.now()):
        return "a supervisor lives"
    log.error("no supervisor lives")
    _record()
    with transaction.atomic():
        # Its loop is as dead as the others.
        lifecycle.evaluate_due()
    return deliver()


def is_silent(now: datetime) -> bool:
    """Whether supervisors have been missing for too long, and this machinery was there to see."""
    workers = Worker.objects.alive().filter(process=OPS)
    running_since = workers.aggregate(at=Min("started_at"))["at"]
    if running_since is None or now - running_since <= SILENCE:
        return False
    beat = facts.last_beat()
    return beat is None or now - beat > SILENCE


def _record() -> None:
    ourselves = Cluster.ourselves()
    present = facts.our_checks().get(ourselves.pk, {}).get(SUPERVISOR)
    if present is None or present.status != Status.CRITICAL:
        services.store(ourselves, [judge_supervisor(lives=False)], (), _no_fence)


def _no_fence() -> None:
    """There is no lease to prove: whoever had them is dead."""


def deliver() -> str:
    """Sends what is due under the courier's lease, unless somebody holds that after all."""
    me = identify()
    with transaction.atomic():
        epoch = leases.take(me, [COURIER], 1).get(COURIER)
    if epoch is None:
        return "somebody delivers"
    try:
        asyncio.run(_run_courier(me, epoch))
    finally:
        leases.free(me, [COURIER])
    return "delivered what was due"


async def _run_courier(me: leases.Identity, epoch: int) -> None:
    """Runs the courier's loop until nothing is due any more, or its time is over."""
    database, bells = DatabaseThread(), Bells(postgres.DELIVERIES)
    context = Context(COURIER, me.owner, epoch, database, bells)
    listening = asyncio.create_task(bells.listen())
    courier = asyncio.create_task(registry.find(COURIER).run(context))
    end = time.monotonic() + SEND_S
    try:
        while time.monotonic() < end and not courier.done():
            await asyncio.wait([courier], timeout=LOOK_EVERY_S)
            if not await database.run(leases.renew, me, [COURIER]):
                break
            if not await database.run(outbox.due, ()):
                break
    finally:
        courier.cancel()
        listening.cancel()
        ends = await asyncio.gather(courier, listening, return_exceptions=True)
        context.close()
        await database.close()
    if isinstance(ends[0], Exception):
        raise ends[0]

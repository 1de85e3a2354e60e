"""The loops that send deliveries and that wake alerts whose wait or reminder is over."""

from __future__ import annotations

import aiohttp
from django.db import transaction
from django.utils import timezone

from consulops.alerts import evaluation, lifecycle
from consulops.alerts.courier import LOOK_EVERY_S, Courier
from consulops.core import postgres
from consulops.loops import schedules
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register


class Deliver(Loop):
    """The courier; one for all notifiers."""

    kind = "courier"

    def keys(self) -> list[str]:
        return [self.kind]

    async def run(self, context: Context) -> None:
        # Redirects and environment proxies are the kinds' business; the courier limits by notifier.
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=30)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as http:
            await Courier(context, http).run()


class LookAgain(Loop):
    """Runs the pipeline again for alerts whose wait, group's wait or reminder is over."""

    kind = "notices"

    def keys(self) -> list[str]:
        return [self.kind]

    async def run(self, context: Context) -> None:
        bell = context.bell(postgres.NOTICES)
        while True:
            await context.database(_look, context)
            due_at = await context.database(evaluation.next_due)
            wait_s = (due_at - timezone.now()).total_seconds() if due_at else LOOK_EVERY_S
            await bell.wait(min(max(wait_s, 0.01), LOOK_EVERY_S))


def _look(context: Context) -> None:
    with transaction.atomic():
        context.fence()
        lifecycle.evaluate_due()


register(Deliver())
register(LookAgain())
schedules.register("alerts-prune", "consulops.alerts.tasks.prune", cron="37 3 * * *")

"""The loop that watches a cluster's health checks."""

from __future__ import annotations

import asyncio
import logging

from django.db import transaction
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.clusters.services import saw_error
from consulops.consulapi import AsyncClient, Backoff, ConsulError
from consulops.core.crypto import WrongKey
from consulops.health.watcher import CheckWatcher
from consulops.loops import schedules
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register

log = logging.getLogger(__name__)


class WatchChecks(Loop):
    """One loop for each enabled cluster."""

    kind = "checks"

    def keys(self) -> list[str]:
        clusters = Cluster.objects.filter(enabled=True).values_list("pk", flat=True)
        return [f"{self.kind}:{pk}" for pk in clusters]

    async def run(self, context: Context) -> None:
        """Watches until cancelled; what Consul does wrong is shown, and tried again."""
        backoff = Backoff(base_s=1.0)
        while True:
            try:
                cluster = await context.database(Cluster.objects.get, pk=int(context.subject))
                connection = await context.database(cluster.connection)
                async with AsyncClient(connection) as client:
                    await CheckWatcher(context, cluster, client).run()
            except (ConsulError, WrongKey) as error:
                log.warning("%s", error)
                await context.database(_record_trouble, context, str(error))
            await asyncio.sleep(backoff.next_s())


def _record_trouble(context: Context, text: str) -> None:
    with transaction.atomic():
        context.fence()
        saw_error(int(context.subject), text, timezone.now())


register(WatchChecks())
schedules.register("health-prune", "consulops.health.tasks.prune", cron="17 3 * * *")

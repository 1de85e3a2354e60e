"""The loops that watch a cluster's events, and that run the handlers."""

from __future__ import annotations

import aiohttp

from consulops.clusters.models import Cluster
from consulops.consulapi import AsyncClient
from consulops.events.runner import Runner
from consulops.events.watcher import EventWatcher
from consulops.health.loops import ClusterLoop
from consulops.loops import schedules
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register


class WatchEvents(ClusterLoop):
    """Takes in what is new in the list of events."""

    kind = "events"

    async def watch(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        await EventWatcher(context, cluster, client).run()


class RunHandlers(Loop):
    """Runs the handlers; one loop for all of them, so that nothing is run twice."""

    kind = "event-handlers"

    def keys(self) -> list[str]:
        return [self.kind]

    async def run(self, context: Context) -> None:
        connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=30)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as http:
            await Runner(context, http).run()


register(WatchEvents())
register(RunHandlers())
schedules.register("events-prune", "consulops.events.tasks.prune", cron="47 3 * * *")

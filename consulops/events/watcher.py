"""Follows the user events of one cluster."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

from consulops.clusters.models import Cluster
from consulops.consulapi import AsyncClient, ConsulError, UserEvent, watch_events
from consulops.consulapi.errors import Place, WrongDatacenter
from consulops.consulapi.events import LIST
from consulops.events import services
from consulops.loops.context import Context

log = logging.getLogger(__name__)

ASK_AGAIN_S = 60.0


class EventWatcher:
    """Takes in what is new in the agent's list for as long as it runs."""

    def __init__(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        self.context = context
        self.cluster = cluster
        self.client = client
        # What was in the list when we looked last: most answers bring nothing else.
        self._seen: set[str] | None = None
        self._trouble = ""

    async def run(self) -> None:
        """Works until cancelled. Raises LeaseLost."""
        while (stranger := await self._stranger()) is not None:
            await self.on_error(stranger)
            await asyncio.sleep(ASK_AGAIN_S)
        async with aclosing(watch_events(self.client, on_error=self.on_error)) as lists:
            async for found in lists:
                await self._look(found)

    async def _look(self, found: list[UserEvent]) -> None:
        ids = {event.id for event in found}
        if self._seen is not None and ids <= self._seen and not self._trouble:
            return
        taken = await self.context.database(services.take, self.cluster, found, self.context.fence)
        self._seen, self._trouble = ids, ""
        if taken.may_have_missed:
            log.warning(
                "%s: none of the last %d events was known: there may have been more",
                self.cluster.name,
                len(found),
            )

    async def _stranger(self) -> ConsulError | None:
        """The error of an agent that forwards calls to our datacenter: it lists its own events."""
        wanted = self.client.connection.datacenter
        if not wanted:
            return None
        try:
            answer = await self.client.read("/v1/agent/self")
        except ConsulError as error:
            # It takes a right of its own. If it is more than that the list will say so.
            log.info("cannot ask the agent for its datacenter: %s", error)
            return None
        settings = answer.value.get("Config") if isinstance(answer.value, dict) else None
        own = settings.get("Datacenter") if isinstance(settings, dict) else None
        if not own or own == wanted:
            return None
        return Place(self.cluster.name, f"GET {LIST}").error(
            WrongDatacenter,
            f"The agent belongs to {own}, and lists the events of {own} only.",
            f"Give the cluster the address of an agent of {wanted}.",
        )

    async def on_error(self, error: ConsulError) -> None:
        """Notes the trouble, once for as long as it stays the same."""
        text = f"{error.text} {error.advice}"
        if text == self._trouble:
            return
        self._trouble = text
        log.warning("%s", error)
        await self.context.database(services.feed_failed, self.cluster, text, self.context.fence)

"""The loop that asks each cluster, every few seconds, who leads it and how its servers are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from random import SystemRandom

from django.db import transaction
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.clusters.probe import Probe, ask
from consulops.clusters.services import saw_error, saw_probe
from consulops.consulapi import AsyncClient, Connection, ConsulError
from consulops.core import postgres
from consulops.core.crypto import WrongKey
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register

PACE_S = 5.0
SLOW_S = 15.0
# A row that says the same is written again this often, so that its age tells of the probe.
REWRITE = timedelta(seconds=15)
# One lost second is no news: the watcher, which waits on Consul all the time, knows better.
FAILURES_TO_TELL = 2

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Memory:
    """What the loop wrote last, and how often in a row it has failed since."""

    written: Probe | None = None
    failures: int = 0

    @property
    def pause_s(self) -> float:
        """Until the next round; spread, so that many clusters are not asked in step."""
        pace = SLOW_S if self.failures >= FAILURES_TO_TELL else PACE_S
        return pace * _random.uniform(0.9, 1.1)


def is_worth_writing(probe: Probe, written: Probe | None) -> bool:
    """Whether a probe says something new, or the row has not been touched for a while."""
    if written is None or probe.at - written.at >= REWRITE:
        return True
    return replace(probe, at=written.at) != written


class WatchServers(Loop):
    """One loop for each enabled cluster."""

    kind = "probe"

    def keys(self) -> list[str]:
        clusters = Cluster.objects.filter(enabled=True).values_list("pk", flat=True)
        return [f"{self.kind}:{pk}" for pk in clusters]

    async def run(self, context: Context) -> None:
        """Asks for ever; a ring that the settings of a cluster changed makes it begin anew."""
        bell = context.bell(postgres.LOOPS)
        memory = Memory()
        while True:
            connection = await context.database(_connection, context)
            if connection is None:
                await bell.wait(SLOW_S)
                continue
            async with AsyncClient(connection) as client:
                rang = False
                while not rang:
                    memory = await _round(context, client, memory)
                    rang = await bell.wait(memory.pause_s)


async def _round(context: Context, client: AsyncClient, memory: Memory) -> Memory:
    """Asks once, and writes what is worth it."""
    try:
        probe = await ask(client, timezone.now())
    except ConsulError as error:
        failures = memory.failures + 1
        if failures >= FAILURES_TO_TELL:
            await context.database(_tell, context, f"{error.text} {error.advice}")
        return replace(memory, failures=failures)
    if is_worth_writing(probe, memory.written):
        await context.database(_write, context, probe)
        return Memory(written=probe)
    return replace(memory, failures=0)


def _connection(context: Context) -> Connection | None:
    """How to reach the cluster; None when it has just been deleted, or its secrets are sealed."""
    cluster = Cluster.objects.filter(pk=int(context.subject)).first()
    try:
        return cluster.connection() if cluster else None
    except WrongKey as error:
        _tell(context, str(error))
        return None


def _write(context: Context, probe: Probe) -> None:
    with transaction.atomic():
        context.fence()
        saw_probe(int(context.subject), probe)


def _tell(context: Context, text: str) -> None:
    with transaction.atomic():
        context.fence()
        saw_error(int(context.subject), text, timezone.now())


register(WatchServers())

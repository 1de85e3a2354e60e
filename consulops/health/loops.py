"""The loops that watch a cluster's health checks, and read the meta of its instances."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod

from django.db import transaction
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.clusters.services import saw_error
from consulops.consulapi import AsyncClient, Backoff, ConsulError
from consulops.core import postgres
from consulops.core.concurrency import side_by_side
from consulops.core.crypto import WrongKey
from consulops.health import instances
from consulops.health.instances import InstanceReader
from consulops.health.watcher import CheckWatcher
from consulops.loops import schedules
from consulops.loops.bells import Bell
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register

# The floor below the bell.
RETRY_S = 15.0
# Who watched for so long before the trouble begins anew without the pauses of trouble long past.
WELL_S = 60.0

log = logging.getLogger(__name__)


class ClusterLoop(Loop):
    """One loop for each enabled cluster, begun anew whenever the cluster's settings change."""

    def keys(self) -> list[str]:
        clusters = Cluster.objects.filter(enabled=True).values_list("pk", flat=True)
        return [f"{self.kind}:{pk}" for pk in clusters]

    @abstractmethod
    async def watch(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        """Works until it is cancelled. Raises ConsulError to be begun anew a moment later."""

    async def run(self, context: Context) -> None:
        """Watches until cancelled; what Consul does wrong is shown, and tried again."""
        bell, backoff = context.bell(postgres.LOOPS), Backoff(base_s=1.0)
        while True:
            began = time.monotonic()
            try:
                cluster = await context.database(Cluster.objects.get, pk=int(context.subject))
                connection = await context.database(cluster.connection)
                async with AsyncClient(connection) as client:
                    await side_by_side(
                        self.watch(context, cluster, client),
                        until_changed(context, cluster, bell),
                    )
            except SettingsChanged:
                backoff.reset()
            except (ConsulError, WrongKey) as error:
                log.warning("%s", error)
                await context.database(_record_trouble, context, error)
                if time.monotonic() - began > WELL_S:
                    backoff.reset()
                # A change of the settings may be what mends it.
                await bell.wait(backoff.next_s())
            except Cluster.DoesNotExist:
                # Deleted a moment ago: the supervisor ends this loop at its next beat.
                await bell.wait(RETRY_S)


class WatchChecks(ClusterLoop):
    """Keeps the stored checks equal to Consul's."""

    kind = "checks"

    async def watch(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        await CheckWatcher(context, cluster, client).run()


class ReadInstances(ClusterLoop):
    """Keeps the meta of service instances, while some matcher asks for it."""

    kind = "instances"

    def keys(self) -> list[str]:
        return super().keys() if instances.is_wanted() else []

    async def watch(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        await InstanceReader(context, cluster, client).run()


class SettingsChanged(Exception):
    """The cluster is to be watched at another address or with another token."""


async def until_changed(context: Context, cluster: Cluster, bell: Bell) -> None:
    """Waits until somebody saves the cluster. Raises SettingsChanged, or Cluster.DoesNotExist."""
    while True:
        await bell.wait(RETRY_S)
        now = await context.database(Cluster.objects.only("updated_at").get, pk=cluster.pk)
        if now.updated_at != cluster.updated_at:
            raise SettingsChanged


def _record_trouble(context: Context, error: ConsulError | WrongKey) -> None:
    text = f"{error.text} {error.advice}" if isinstance(error, ConsulError) else str(error)
    with transaction.atomic():
        context.fence()
        saw_error(int(context.subject), text, timezone.now())


register(WatchChecks())
register(ReadInstances())
schedules.register("health-prune", "consulops.health.tasks.prune", cron="17 3 * * *")

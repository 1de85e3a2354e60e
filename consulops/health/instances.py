"""Reads the meta of service instances, which Consul's health listings leave out.

It costs a request for each service after every change of the catalog, so it is read only while
some matcher asks for service_meta: the apps above say so through `wanted_by`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction

from consulops.clusters.models import Cluster
from consulops.consulapi import Answer, AsyncClient, watch
from consulops.consulapi.errors import BadAnswer, BadRequest
from consulops.consulapi.pace import TokenBucket
from consulops.health.models import Instance
from consulops.health.observation import cut, short
from consulops.health.signals import metas_changed
from consulops.live.services import publish
from consulops.loops.context import Context

# Requests a second on average, and at once: Consul has better things to do.
PACE, BURST = 20.0, 40
WAIT_S = 30.0
# Also read anew this often, whatever the watch says.
EVERY_S = 300.0
_CHUNK = 1000

# Node and service id.
Key = tuple[str, str]

_wanters: list[Callable[[], bool]] = []


def wanted_by(asks: Callable[[], bool]) -> None:
    """Registers a question to an app: does any enabled matcher of yours look at service_meta?

    It is asked every few seconds: one cheap query.
    """
    _wanters.append(asks)


def is_wanted() -> bool:
    """Whether any app asks for the meta of instances."""
    return any(asks() for asks in _wanters)


class Known(NamedTuple):
    """What is stored of one instance."""

    service: str
    meta: dict[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a listing changes about the stored instances."""

    changed: dict[Key, Known]
    gone: set[Key]


def compare(stored: Mapping[Key, Known], service: str, listing: Mapping[Key, Known]) -> Difference:
    """The instances of one service that differ from the stored ones, and those it lacks."""
    changed = {key: seen for key, seen in listing.items() if stored.get(key) != seen}
    gone = {key for key, known in stored.items() if known.service == service} - listing.keys()
    return Difference(changed, gone)


class InstanceReader:
    """Keeps the stored instances of one cluster equal to Consul's catalog while it runs."""

    def __init__(self, context: Context, cluster: Cluster, client: AsyncClient) -> None:
        self.context = context
        self.cluster = cluster
        self.client = client
        self.stored: dict[Key, Known] = {}
        self._pace = TokenBucket(PACE, BURST)

    async def run(self) -> None:
        """Reads until cancelled. Raises ConsulError and LeaseLost: begin anew then."""
        self.stored = await self.context.database(_stored, self.cluster.pk)
        path, read_at = "/v1/catalog/services", float("-inf")
        async with aclosing(watch(self.client, path, wait_s=WAIT_S)) as updates:
            async for update in updates:
                if update.changed or time.monotonic() - read_at > EVERY_S:
                    read_at = time.monotonic()
                    await self._take(update.value, update.index)

    async def _take(self, value: Any, index: int) -> None:
        """Reads every service of the catalog; those first of which nothing is known."""
        names = _names(value, self.cluster)
        known = {one.service for one in self.stored.values()}
        for name in sorted(names, key=lambda name: (short(name) in known, name)):
            await self._read(name)
        absent = known - {short(name) for name in names}
        if absent:
            # A server that lags or has just started leaves services out and says nothing.
            second = await self.client.read("/v1/catalog/services", consistency="consistent")
            absent -= {short(name) for name in _names(second.value, self.cluster)}
            if second.index >= index:
                await self._write(
                    {}, {k for k, one in self.stored.items() if one.service in absent}
                )

    async def _read(self, name: str) -> None:
        path = f"/v1/catalog/service/{name}"
        try:
            first = await self._ask(path, "stale")
        except BadRequest:
            # No URL carries such a name, so nobody can ask for it; its instances have no meta.
            return
        service = short(name)
        found = compare(self.stored, service, _listing(first, service, self.cluster))
        gone = set[Key]()
        if found.gone:
            second = await self._ask(path, "consistent")
            if second.index >= first.index:
                found = compare(self.stored, service, _listing(second, service, self.cluster))
                gone = found.gone
        await self._write(found.changed, gone)

    async def _ask(self, path: str, consistency: Any) -> Answer:
        await self._pace.take()
        return await self.client.read(path, consistency=consistency)

    async def _write(self, changed: Mapping[Key, Known], gone: Iterable[Key]) -> None:
        gone = set(gone)
        if not changed and not gone:
            return
        await self.context.database(_store, self.context.fence, self.cluster.pk, changed, gone)
        self.stored |= changed
        for key in gone:
            del self.stored[key]


def _names(value: Any, cluster: Cluster) -> list[str]:
    if not isinstance(value, dict):
        raise _no_catalog(cluster, "/v1/catalog/services")
    return list(value)


def _listing(answer: Answer, service: str, cluster: Cluster) -> dict[Key, Known]:
    value = answer.value
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _no_catalog(cluster, "/v1/catalog/service")
    return {
        (short(str(one.get("Node", ""))), short(str(one.get("ServiceID", "")))): Known(
            service, _clean(one.get("ServiceMeta"))
        )
        for one in value
    }


def _clean(meta: Any) -> dict[str, str]:
    if not isinstance(meta, dict):
        return {}
    return {cut(str(key)): cut(str(value)) for key, value in meta.items()}


def _no_catalog(cluster: Cluster, path: str) -> BadAnswer:
    return BadAnswer(
        "The catalog is not what Consul's looks like.",
        cluster=cluster.name,
        call=f"GET {path}",
        advice="See whether the address is that of a Consul agent and no proxy stands between.",
    )


def _stored(cluster_id: int) -> dict[Key, Known]:
    rows = Instance.objects.filter(cluster=cluster_id)
    return {
        (node, service_id): Known(service, meta)
        for node, service_id, service, meta in rows.values_list(
            "node", "service_id", "service", "meta"
        )
    }


def _store(
    fence: Callable[[], None], cluster_id: int, changed: Mapping[Key, Known], gone: set[Key]
) -> None:
    rows = [
        Instance(cluster_id=cluster_id, node=node, service_id=service_id, **known._asdict())
        for (node, service_id), known in changed.items()
    ]
    with transaction.atomic():
        fence()
        doomed = Instance.objects.filter(cluster=cluster_id, node__in={node for node, _ in gone})
        pks = [one.pk for one in doomed if (one.node, one.service_id) in gone]
        Instance.objects.filter(pk__in=pks).delete()
        Instance.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=("cluster", "node", "service_id"),
            update_fields=("service", "meta"),
            batch_size=_CHUNK,
        )
        what = {"meta": "service_meta", "cluster_id": cluster_id}
        metas_changed.send(sender=Instance, nodes={node for node, _ in changed}, **what)
        publish("checks")

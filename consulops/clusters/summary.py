"""What the pages say of each cluster, put together from what is known: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.verdict import Counts, Verdict, is_late, servers, verdict

NO_CHECKS = Counts()


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many there are of each in a cluster."""

    checks: Counts = NO_CHECKS
    nodes: int = 0
    services: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """One cluster as lists and cards show it."""

    cluster: Cluster
    verdict: Verdict
    sizes: Sizes
    servers: str
    is_late: bool
    # Names of other entries that seem to be the same Consul.
    twins: tuple[str, ...]

    @property
    def state(self) -> ClusterState:
        return self.cluster.state

    @property
    def checks(self) -> Counts:
        return self.sizes.checks

    @property
    def uses_tls(self) -> bool:
        return self.cluster.address.startswith("https:")


def summarize(
    clusters: Iterable[Cluster], sizes: Mapping[int, Sizes], now: datetime
) -> list[Summary]:
    """The clusters, worst first. They come with their state; `sizes` goes by their ids."""
    found = list(clusters)
    same = twins(found)
    rows = [
        Summary(
            cluster=cluster,
            verdict=verdict(
                cluster.state,
                sizes.get(cluster.pk, Sizes()).checks,
                now,
                enabled=cluster.enabled,
            ),
            sizes=sizes.get(cluster.pk, Sizes()),
            servers=servers(cluster.state, now),
            is_late=cluster.enabled and is_late(cluster.state, now),
            twins=same.get(cluster.pk, ()),
        )
        for cluster in found
    ]
    return sorted(rows, key=lambda row: (row.verdict.rank, row.cluster.name))


def twins(clusters: Iterable[Cluster]) -> dict[int, tuple[str, ...]]:
    """For each cluster the names of others with the same datacenter, leader and Raft peers.

    Two entries for one Consul would watch it twice and tell people everything twice.
    """
    groups: defaultdict[tuple[object, ...], list[Cluster]] = defaultdict(list)
    for cluster in clusters:
        state = cluster.state
        if cluster.enabled and state.datacenter and state.leader and state.peers:
            groups[state.datacenter, state.leader, tuple(sorted(state.peers))].append(cluster)
    return {
        cluster.pk: tuple(other.name for other in group if other.pk != cluster.pk)
        for group in groups.values()
        if len(group) > 1
        for cluster in group
    }

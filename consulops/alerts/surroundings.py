"""What lies around alerts: maintenance, a larger failure that speaks for them, and meta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Q

from consulops.alerts.models import Alert, Notice
from consulops.alerts.pipeline import FLAPPING
from consulops.alerts.table import Table
from consulops.clusters.models import Cluster
from consulops.core.status import FAILING, Status
from consulops.health.matching import Subject
from consulops.health.models import Check, Instance, Node, Source, Transition

# Consul's own check of a node, and ours of a cluster.
NODE_CHECK = "serfHealth"
CLUSTER_CHECK = "consulops:unreachable"

# With every change of a check; as a queryset, making the SQL takes longer than running it.
_LARGER = """SELECT * FROM health_check
    WHERE cluster_id = ANY(%(clusters)s) AND (
        node = ANY(%(nodes)s) AND (
            status = 'maintenance' OR check_id = %(node_check)s AND status = 'critical')
        OR node = '' AND check_id = %(cluster_check)s AND status = 'critical')"""

Place = tuple[int, str, str]
Meta = Mapping[str, str]


@dataclass(slots=True)
class Surroundings:
    """What is known around some alerts; made for one evaluation."""

    # In maintenance: (cluster, node, service id), the last empty for the whole node.
    resting: set[Place] = field(default_factory=set)
    # Nodes that are down and clusters that are unreachable, of which somebody hears.
    nodes_down: set[tuple[int, str]] = field(default_factory=set)
    clusters_down: set[int] = field(default_factory=set)
    node_metas: Mapping[tuple[int, str], Meta] = field(default_factory=dict)
    service_metas: Mapping[Place, Meta] = field(default_factory=dict)

    @classmethod
    def of(cls, alerts: Sequence[Alert], table: Table) -> Surroundings:
        """Looked up in as few queries as possible, most often one."""
        clusters = {alert.cluster_id: alert.cluster for alert in alerts}
        nodes = {alert.check_ref.node for alert in alerts}
        found = cls()
        if table.needs("node_meta"):
            rows = Node.objects.filter(cluster__in=clusters, name__in=nodes)
            found.node_metas = {(row.cluster_id, row.name): row.meta for row in rows}
        if table.needs("service_meta"):
            found.service_metas = {
                (row.cluster_id, row.node, row.service_id): row.meta
                for row in Instance.objects.filter(cluster__in=clusters, node__in=nodes)
            }
        found._look_for_larger(clusters, nodes, table)
        return found

    def _look_for_larger(
        self, clusters: Mapping[int, Cluster], nodes: set[str], table: Table
    ) -> None:
        where = {
            "clusters": list(clusters),
            "nodes": list(nodes),
            "node_check": NODE_CHECK,
            "cluster_check": CLUSTER_CHECK,
        }
        for check in Check.every.raw(_LARGER, where):
            check.cluster = clusters[check.cluster_id]
            if check.status == Status.MAINTENANCE:
                self.resting.add((check.cluster_id, check.node, check.service_id))
            elif check.check_id == CLUSTER_CHECK:
                if table.noise.inhibit_by_cluster and self._is_heard(check, table):
                    self.clusters_down.add(check.cluster_id)
            elif table.noise.inhibit_by_node and self._is_heard(check, table):
                self.nodes_down.add((check.cluster_id, check.node))

    def _is_heard(self, check: Check, table: Table) -> bool:
        """A failure that nobody hears of, or heard of before, cannot speak for others."""
        if table.somebody_hears(self.subject(check, check.cluster, check.status)):
            return True
        told = Notice.objects.filter(alert__check_ref=check, said__in=(*FAILING, FLAPPING))
        return bool(table.asleep_until) and told.filter(alert__resolved_at__isnull=True).exists()

    def maintenance(self, check: Check) -> str:
        """What is in maintenance, in words."""
        if (check.cluster_id, check.node, "") in self.resting:
            return f"the node {check.node} is in maintenance"
        if check.service_id and (check.cluster_id, check.node, check.service_id) in self.resting:
            return f"the service {check.service_id} is in maintenance"
        return ""

    def inhibition(self, check: Check) -> str:
        """What speaks for the check, in words."""
        if check.cluster_id in self.clusters_down and check.check_id != CLUSTER_CHECK:
            return "the cluster cannot be reached, which was told"
        is_own = check.source != Source.CONSUL or check.check_id == NODE_CHECK
        if not is_own and (check.cluster_id, check.node) in self.nodes_down:
            return f"the node {check.node} is down and speaks for what runs on it"
        return ""

    def subject(self, check: Check, cluster: Cluster, status: str) -> Subject:
        """What matchers look at."""
        place = (check.cluster_id, check.node, check.service_id)
        return Subject(
            cluster=cluster.name,
            service=check.service,
            service_id=check.service_id,
            node=check.node,
            check=check.check_id,
            name=check.name,
            tags=tuple(check.tags),
            status=status,
            output=check.output,
            service_meta=self.service_metas.get(place, {}),
            node_meta=self.node_metas.get(place[:2], {}),
        )


def changed(transitions: Sequence[Transition]) -> Q | None:
    """Which alerts these changes surround: maintenance or a larger failure began or ended."""
    places = Q()
    for transition in transitions:
        check = transition.check_ref
        if check.check_id == CLUSTER_CHECK:
            places |= Q(cluster=transition.cluster_id)
        elif check.check_id == NODE_CHECK or Status.MAINTENANCE in (
            transition.status,
            transition.previous,
        ):
            place = Q(cluster=transition.cluster_id, check_ref__node=check.node)
            if check.service_id:
                place &= Q(check_ref__service_id=check.service_id)
            places |= place
    return places or None

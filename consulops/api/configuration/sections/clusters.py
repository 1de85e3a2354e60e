"""Clusters in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from django.core.exceptions import ValidationError

from consulops.api.configuration.items import NamedItem
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.clusters.models import Cluster, Colour
from consulops.clusters.services import delete_cluster, save_cluster


class ClusterItem(NamedItem):
    """A cluster. A secret that is left out stays as it is; anything else gets its default."""

    address: str
    datacenter: str = ""
    token: str | None = None
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: str | None = None
    verify_tls: bool = True
    colour: Literal[*Colour.values] = Colour.GREY.value  # type: ignore[valid-type]
    read_only: bool = False
    enabled: bool = True


class Clusters(Section):
    name = "clusters"
    form = ClusterItem

    def apply(self, task: Task, place: Place, item: ClusterItem) -> Iterator[Change]:
        # None is a secret that is left out.
        values = {k: v for k, v in item.model_dump(exclude={"name"}).items() if v is not None}
        try:
            saved = save_cluster(task.actor, item.name, values)
        except ValidationError as error:
            task.invalid(place, error)
        else:
            yield Change.of(saved.created, "cluster", item.name, saved.changed)

    def finish(self, task: Task) -> Iterator[Change]:
        if not task.prune:
            return
        for cluster in Cluster.objects.exclude(name__in=task.document.names[self.name]):
            delete_cluster(task.actor, cluster.pk)
            yield Change("removed", "cluster", cluster.name)

    def export(self, secrets: bool) -> Iterator[ClusterItem]:
        hidden = set() if secrets else {"token", "client_key"}
        names = ClusterItem.model_fields.keys() - hidden
        for cluster in Cluster.objects.all():
            values = {name: getattr(cluster, name) for name in names}
            yield ClusterItem(**{name: value for name, value in values.items() if value != ""})

"""Reads of checks that several pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from consulops.clusters.verdict import Counts
from consulops.core.status import Status

if TYPE_CHECKING:
    from consulops.health.models import Check  # noqa: F401 - named below, in quotes

_COUNTED = (
    Status.CRITICAL,
    Status.UNKNOWN,
    Status.WARNING,
    Status.MAINTENANCE,
    Status.PASSING,
)


class CheckQuerySet(QuerySet["Check"]):
    """Checks, with the questions that pages ask of all of them."""

    def counts_by_cluster(self) -> dict[int, Counts]:
        """How many checks each cluster has in each state; a cluster without any is left out."""
        numbers = {state.value: Count("pk", filter=Q(status=state)) for state in _COUNTED}
        rows = (
            self.exclude(status=Status.GONE)
            .order_by()
            .values_list("cluster")
            .annotate(Count("pk"), **numbers)
        )
        return {cluster: Counts(*numbers) for cluster, *numbers in rows}

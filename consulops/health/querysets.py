"""Reads of checks that several pages share."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from consulops.clusters.verdict import Counts
from consulops.core.status import Status

if TYPE_CHECKING:
    from consulops.health.models import Check, Transition  # noqa: F401 - named below, in quotes

_COUNTED = (
    Status.CRITICAL,
    Status.UNKNOWN,
    Status.WARNING,
    Status.MAINTENANCE,
    Status.PASSING,
)
_NAMES = ("name", "check_id", "service", "node")


WORST_FIRST = ("rank", "-since", "id")


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

    def counts_by_status(self) -> dict[str, int]:
        """How many there are in each state; states without any are left out."""
        return dict(self.order_by().values_list("status").annotate(Count("pk")))

    def living(self) -> CheckQuerySet:
        """All but those that were deregistered."""
        return self.exclude(status=Status.GONE)

    def worst_first(self) -> CheckQuerySet:
        """Worst state first, and in it what changed last."""
        return self.order_by(*WORST_FIRST)

    def naming(self, words: str) -> CheckQuerySet:
        """Those with every one of these words in a name: check, id, service or node."""
        found = self
        for word in words.split():
            any_of = Q()
            for column in _NAMES:
                any_of |= Q(**{f"{column}__icontains": word})
            found = found.filter(any_of)
        return found


class TransitionQuerySet(QuerySet["Transition"]):
    """Changes of checks, with the questions that pages ask of all of them."""

    def told(self) -> TransitionQuerySet:
        """With their checks, and without the long texts."""
        return self.select_related("check_ref").defer(
            "output", "check_ref__output", "check_ref__notes"
        )

    def of(self, checks: CheckQuerySet, since: datetime) -> TransitionQuerySet:
        """The changes of these checks after a moment, newest first."""
        return self.told().filter(check_ref__in=checks, at__gte=since).order_by("-at", "-id")

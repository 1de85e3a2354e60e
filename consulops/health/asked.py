"""What the query string of a health page asks for, made safe to look for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.http import HttpRequest

from consulops.clusters.models import Cluster
from consulops.core.status import Status, by_rank
from consulops.health.models import Check
from consulops.health.observation import short
from consulops.health.querysets import CheckQuerySet

_MAX_WORDS = 200
# The others only appear where there are some.
_ALWAYS = (Status.CRITICAL, Status.UNKNOWN, Status.WARNING, Status.MAINTENANCE, Status.PASSING)


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of a list: those that are empty, or no state that we know, filter nothing."""

    cluster: str
    q: str
    status: str
    service: str
    node: str
    after: str

    @property
    def any(self) -> bool:
        """Whether any filter is set, apart from the cluster."""
        return bool(self.q or self.status or self.service or self.node)

    def chips(self, counts: Mapping[str, int]) -> list[dict[str, object]]:
        """The filters of each state with their counts, worst first, and the names that are set."""
        states: list[dict[str, object]] = [
            {
                "key": "status",
                "value": state.value,
                "label": state.label,
                "count": counts.get(state, 0),
            }
            for state in by_rank()
            if state in counts or state in _ALWAYS
        ]
        names = [("service", self.service), ("node", self.node)]
        return states + [
            {"key": key, "value": name, "label": f"{key}: {name}", "count": None}
            for key, name in names
            if name
        ]

    def clusters(self) -> dict[int, Cluster]:
        """The cluster that is asked for, or all, by id and with their state."""
        found = Cluster.objects.select_related("state")
        if self.cluster:
            found = found.filter(name=self.cluster)
        return {cluster.pk: cluster for cluster in found}

    def checks(self, clusters: Iterable[int]) -> CheckQuerySet:
        """The checks of these clusters that are meant, in every state."""
        found: CheckQuerySet = Check.objects.naming(self.q)
        if self.cluster:
            found = found.filter(cluster__in=clusters)
        if self.service:
            found = found.filter(service=self.service)
        if self.node:
            found = found.filter(node=self.node)
        return found

    def finds(self, *names: str) -> bool:
        """Whether every word that is looked for is in one of these names."""
        return all(any(word in name.lower() for name in names) for word in self.q.lower().split())


def asked(request: HttpRequest) -> Asked:
    """The filters of this request."""
    status = request.GET.get("status", "")
    return Asked(
        cluster=name_in(request, "cluster"),
        q=_text(request, "q")[:_MAX_WORDS].strip(),
        status=status if status in Status.values else "",
        service=name_in(request, "service"),
        node=name_in(request, "node"),
        after=request.GET.get("after", ""),
    )


def name_in(request: HttpRequest, key: str) -> str:
    """A name from the query string, in the form in which names are stored."""
    return short(_text(request, key))


def _text(request: HttpRequest, key: str) -> str:
    # PostgreSQL takes no NUL in a text.
    return request.GET.get(key, "").replace("\x00", "\N{REPLACEMENT CHARACTER}")

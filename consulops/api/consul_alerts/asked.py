"""Which checks a caller of consul-alerts' API means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from django.conf import settings

from consulops.api.consul_alerts.config import NO_SERVICE
from consulops.api.consul_alerts.health import Stated
from consulops.clusters.models import Cluster
from consulops.health.matching import Subject
from consulops.health.models import Check
from consulops.health.querysets import CheckQuerySet
from consulops.silences.standing import standing

SETTING = "CONSULOPS_CONSUL_ALERTS_CLUSTER"


class NoSuchCluster(Exception):
    """The caller names a cluster that is not configured."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Names as columns of checks; statuses, of which none means any."""

    columns: Mapping[str, str]
    cluster: Cluster | None
    statuses: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def exactly(cls, query: Mapping[str, str]) -> Self:
        """All three names, where none and `_` are a check of the node. Raises NoSuchCluster."""
        service = query.get("service", "")
        columns = {
            "node": query.get("node", ""),
            "check_id": query.get("check", ""),
            "service_id": "" if service == NO_SERVICE else service,
        }
        return cls(columns, _cluster(query))

    @classmethod
    def widely(cls, query: Mapping[str, str]) -> Self:
        """Those names that are given. Raises NoSuchCluster."""
        named = {"node": "node", "check": "check_id", "service": "service_id"}
        columns = {column: query[name] for name, column in named.items() if query.get(name)}
        if columns.get("service_id") == NO_SERVICE:
            columns["service_id"] = ""
        words = (word.strip() for word in query.get("status", "").split(","))
        return cls(columns, _cluster(query), frozenset(word for word in words if word))

    def checks(self) -> CheckQuerySet:
        """The checks that Consul has now, in the order of their names."""
        found = Check.objects.living().filter(**self.columns).select_related("cluster")
        if self.cluster is not None:
            found = found.filter(cluster=self.cluster)
        return found.order_by("cluster__name", "node", "service_id", "check_id")

    def means(self, status: str) -> bool:
        """Whether a check in this status is asked for."""
        return not self.statuses or status in self.statuses

    def without_blacklisted(self, found: Sequence[Stated], now: datetime) -> list[Stated]:
        """Those that no silence without an end means, which is what a blacklist is here."""
        endless = [one.match for one in standing(now) if one.until is None]
        return [
            one
            for one in found
            if all(match.mismatch(_subject(one.check, one.status)) for match in endless)
        ]


def _cluster(query: Mapping[str, str]) -> Cluster | None:
    """The one that is named, or the setting's; None: all of them."""
    name = query.get("cluster") or query.get("dc")
    wanted = name or settings.ENV.text(SETTING)
    if not wanted:
        return None
    found = Cluster.objects.filter(name=wanted).first()
    if found is None:
        found = Cluster.objects.filter(state__datacenter=wanted).first()
    if found is None:
        raise NoSuchCluster(f"There is no cluster {wanted!r}.")
    return found


def _subject(check: Check, status: str) -> Subject:
    return Subject(
        cluster=check.cluster.name,
        service=check.service,
        service_id=check.service_id,
        node=check.node,
        check=check.check_id,
        name=check.name,
        tags=tuple(check.tags),
        status=status,
        output=check.output,
    )

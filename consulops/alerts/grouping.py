"""Which alerts share a message, and since when their groups wait."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max, Q

from consulops.alerts.models import Alert, Notice, Route

Place = tuple[int, str]


@dataclass(slots=True)
class Groups:
    """Since when each group (route, key) waits, and when it was last told."""

    since: dict[Place, datetime] = field(default_factory=dict)
    said_at: dict[Place, datetime] = field(default_factory=dict)

    @classmethod
    def of(
        cls, notices: Iterable[Notice], alerts: Sequence[Alert], routes: Iterable[Route]
    ) -> Groups:
        """Of these notices; and of these alerts on the routes that limit how often."""
        since: dict[Place, datetime] = {}
        for notice in notices:
            if notice.route_id is not None and notice.group_since is not None:
                place = notice.route_id, notice.group_key
                # A group's first alert speaks for all of it.
                since[place] = min(since.get(place, notice.group_since), notice.group_since)
        return cls(since, _last_told(alerts, [one for one in routes if one.group_interval_s]))


def _last_told(alerts: Sequence[Alert], routes: Sequence[Route]) -> dict[Place, datetime]:
    wanted = Q()
    for route in routes:
        if route.group_by:
            keys = {group_key(route, alert) for alert in alerts}
            wanted |= Q(route=route, group_key__in=keys)
    if not wanted:
        return {}
    rows = Notice.objects.filter(wanted, said_at__isnull=False).values_list("route", "group_key")
    return {
        (route, key): said_at
        for route, key, said_at in rows.annotate(Max("said_at"))
        if route is not None
    }


def group_key(route: Route, alert: Alert) -> str:
    """The group of an alert: the same for alerts that agree in everything the route groups by.

    A group never spans clusters: a message names one.
    """
    if not route.group_by:
        return ""
    check = alert.check_ref
    values = {"service": check.service, "node": check.node, "check": check.check_id}
    shared = [values[name] for name in sorted(values) if name in route.group_by]
    text = "\x00".join([str(alert.cluster_id), *shared])
    return hashlib.sha256(text.encode()).hexdigest()[:32]

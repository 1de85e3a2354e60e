"""Every change of every check for as long as it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from consulops.clusters.models import Cluster
from consulops.core import export
from consulops.core.status import Status
from consulops.health import history as changes
from consulops.health.asked import Asked, asked
from consulops.health.history import Sought
from consulops.health.models import Transition
from consulops.health.rows import named
from consulops.live.etag import fresh_by

_DAY = timedelta(days=1)
_RANGES = {
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", _DAY),
    "7d": ("7 days", 7 * _DAY),
    "30d": ("30 days", 30 * _DAY),
}
# What a check can become, and what it can have been.
_STATES = [state for state in Status if state is not Status.NONE]


@dataclass(frozen=True, slots=True)
class Times:
    """The time that is asked for: one of the ranges that end now, or two moments."""

    chosen: str = ""
    begin: datetime | None = None
    end: datetime | None = None
    # What was given and is no time.
    wrong: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether it leaves anything out."""
        return self.begin is not None or self.end is not None


@require_GET
@fresh_by("checks", "clusters")
def history(request: HttpRequest) -> HttpResponseBase:
    """The changes that the query string asks for, newest first."""
    wanted, times = asked(request), _times(request)
    sought = _sought(request, wanted, times)
    if export.wanted(request):
        return export.export(request, "history", _facts(sought))
    found = changes.find(sought, wanted.after)
    clusters = {cluster.pk: cluster for cluster in Cluster.every.all()}
    named(found.page.rows, clusters.values())
    context = {
        "asked": wanted,
        "sought": sought,
        "times": times,
        "ranges": [{"value": key, "label": label} for key, (label, _) in _RANGES.items()],
        "states": _STATES,
        "found": found,
        "page": found.page,
        "counted": changes.COUNTED,
        "is_filtered": times.any or wanted.any or bool(wanted.cluster or sought.previous),
        "has_many_clusters": len(clusters) > 1,
        # What is older than now does not change any more.
        "is_live": found.page.is_first and times.end is None,
    }
    return render(request, "alerts/history.html", context)


def _sought(request: HttpRequest, wanted: Asked, times: Times) -> Sought:
    previous = request.GET.get("was", "")
    return Sought(
        cluster=wanted.cluster,
        words=wanted.q,
        service=wanted.service,
        node=wanted.node,
        status=wanted.status,
        previous=previous if previous in Status.values else "",
        begin=times.begin,
        end=times.end,
    )


def _times(request: HttpRequest) -> Times:
    chosen = request.GET.get("range", "")
    if chosen in _RANGES:
        return Times(chosen, begin=timezone.now() - _RANGES[chosen][1])
    given = {key: request.GET.get(key, "").strip() for key in ("from", "to")}
    read = {key: moment(text) for key, text in given.items()}
    wrong = tuple(text[:40] for key, text in given.items() if text and read[key] is None)
    return Times(begin=read["from"], end=read["to"], wrong=wrong)


def moment(text: str) -> datetime | None:
    """A time as ISO 8601 writes it, UTC unless it says otherwise; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _facts(sought: Sought) -> Iterator[dict[str, Any]]:
    clusters = dict(Cluster.every.values_list("pk", "name"))
    for row in changes.every(sought):
        yield _fact(row, clusters.get(row.cluster_id, ""))


def _fact(row: Transition, cluster: str) -> dict[str, Any]:
    check = row.check_ref
    return {
        "id": row.pk,
        "at": row.at,
        "cluster": cluster,
        "previous": row.previous,
        "status": row.status,
        "service": check.service,
        "node": check.node,
        "check": check.check_id,
        "name": check.name,
        "watched": row.watched,
        "output": getattr(row, "excerpt", ""),
    }

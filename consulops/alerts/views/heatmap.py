"""Which services failed when: a map of colours, of which each cell leads to its history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from consulops.alerts.views.history import moment
from consulops.clusters.models import Cluster
from consulops.core import export
from consulops.core.times import in_words
from consulops.health.asked import asked
from consulops.health.groups import query_for
from consulops.health.heatmap import LIMITS_S, SPANS, Cell, Line, Map, begin_of, heat, level
from consulops.health.hours import HOUR
from consulops.live.etag import fresh_by

_FIRST_SPAN = "24h"


@dataclass(frozen=True, slots=True)
class Square:
    """One cell as the page shows it; without an address nothing failed there."""

    level: int
    text: str = ""
    address: str = ""


_CALM = Square(0)


@dataclass(frozen=True, slots=True)
class Row:
    """One service: its name, its page, its whole time, and its squares from old to new."""

    service: str
    cluster: Cluster
    query: str
    failing_s: float
    squares: list[Square]


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a block, and the map of its hours when it has several."""

    # Its time, for the address of its history.
    query: str
    text: str
    title: str
    address: str
    # Set for the first of a day, which is set apart.
    day: str


@require_GET
@fresh_by("checks", "clusters")
def heatmap(request: HttpRequest) -> HttpResponseBase:
    """The services that failed longest in the time that is asked for."""
    wanted, now = asked(request), timezone.now()
    name = request.GET.get("span", _FIRST_SPAN)
    name = name if name in SPANS else _FIRST_SPAN
    span = SPANS[name]
    ends = moment(request.GET.get("to", ""))
    newest = begin_of(span, now)
    begin = min(begin_of(span, ends - HOUR / 2), newest) if ends else newest
    clusters = {cluster.pk: cluster for cluster in Cluster.objects.all()}
    chosen = next((one.pk for one in clusters.values() if one.name == wanted.cluster), None)
    # A name that no cluster has means none of them.
    chosen = 0 if wanted.cluster and chosen is None else chosen
    found = heat(span, begin, now, chosen, wanted.q)
    if export.wanted(request):
        return export.export(request, "heatmap", _facts(found, clusters))
    context = {
        "asked": wanted,
        "span": name,
        "spans": [{"value": key, "label": one.label} for key, one in SPANS.items()],
        "columns": (columns := _columns(found, wanted.cluster)),
        "rows": [_row(line, columns, span.block, clusters[line.cluster]) for line in found.lines],
        "found": found,
        "ends": begin + span.length,
        "earlier": f"{begin:%Y-%m-%dT%H:%MZ}",
        "later": f"{begin + 2 * span.length:%Y-%m-%dT%H:%MZ}" if begin < newest else "",
        "is_live": begin == newest,
        "legend": _legend(),
        "has_many_clusters": len(clusters) > 1,
    }
    return render(request, "alerts/heatmap.html", context)


def _row(line: Line, columns: Sequence[Column], block: timedelta, cluster: Cluster) -> Row:
    names = urlencode({"cluster": cluster.name, "service": line.service})
    history = f"{reverse('alerts:history')}?{names}"
    squares = [
        _square(line.service, cell, column, block, history)
        if (cell := line.cells.get(number))
        else _CALM
        for number, column in enumerate(columns)
    ]
    query = query_for(cluster.name, line.service)
    return Row(line.service, cluster, query, line.failing_s, squares)


def _square(service: str, cell: Cell, column: Column, block: timedelta, history: str) -> Square:
    states = (("critical", cell.critical_s), ("warning", cell.warning_s))
    spent = ", ".join(f"{word} {in_words(spent)}" for word, spent in states if spent)
    checks = f"{cell.checks} check{'' if cell.checks == 1 else 's'}"
    return Square(
        level=level(cell.failing_s, block),
        text=f"{service}, {column.title}: {spent}; {checks}",
        address=f"{history}&{column.query}",
    )


def _between(start: datetime, end: datetime) -> str:
    if end - start >= 24 * HOUR:
        return f"{start:%d %b}"
    return f"{start:%d %b %H:%M}\N{EN DASH}{end:%H:%M} UTC"


def _columns(found: Map, cluster: str) -> list[Column]:
    columns = []
    is_hourly = found.span.block == HOUR
    for start in found.starts:
        end = start + found.span.block
        day_end = f"{start.replace(hour=0):%Y-%m-%d}T23:59Z"
        hours = {"to": day_end, **({"cluster": cluster} if cluster else {})}
        times = {"from": f"{start:%Y-%m-%dT%H:%MZ}", "to": f"{end:%Y-%m-%dT%H:%MZ}"}
        columns.append(
            Column(
                query=urlencode(times),
                text=f"{start:%d}" if found.span.block >= 24 * HOUR else f"{start:%H}",
                title=_between(start, end),
                address="" if is_hourly else f"?{urlencode(hours)}",
                day=f"{start:%d}" if start.hour == 0 and found.span.block < 24 * HOUR else "",
            )
        )
    return columns


def _legend() -> list[tuple[int, str]]:
    """What each intensity means, in failing time an hour."""
    words = [in_words(limit) for limit in LIMITS_S]
    told = [f"up to {word}" for word in words] + [f"more than {words[-1]}"]
    return list(enumerate(told, start=1))


def _facts(found: Map, clusters: dict[int, Cluster]) -> Iterator[dict[str, Any]]:
    starts = found.starts
    for line in found.lines:
        for number, cell in line.cells.items():
            yield {
                "cluster": clusters[line.cluster].name,
                "service": line.service,
                "begin": starts[number],
                "end": starts[number] + found.span.block,
                "critical_s": round(cell.critical_s, 3),
                "warning_s": round(cell.warning_s, 3),
                "checks": cell.checks,
            }

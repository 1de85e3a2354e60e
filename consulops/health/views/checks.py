"""The list of checks, and the page of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.db.models.functions import Left
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from consulops.alerts.models import Alert
from consulops.core import export, paging
from consulops.health.asked import asked, name_in
from consulops.health.bars import bars_for, is_old
from consulops.health.models import Check, Transition
from consulops.health.querysets import WORST_FIRST
from consulops.health.rows import (
    OUTPUT_SHOWN,
    Moment,
    around,
    check_facts,
    check_rows,
    lean,
    moments,
)

ALERTS_SHOWN = 10
MOMENTS_SHOWN = 30


@require_GET
def checks(request: HttpRequest) -> HttpResponseBase:
    """All checks, worst first; deregistered ones only when they are asked for."""
    wanted = asked(request)
    clusters = wanted.clusters()
    meant = wanted.checks(clusters)
    found = meant.filter(status=wanted.status) if wanted.status else meant.living()
    if export.wanted(request):
        return export.export(request, "checks", check_facts(found))
    page = paging.page(lean(found), WORST_FIRST, wanted.after)
    context = {
        "asked": wanted,
        "page": page,
        "rows": check_rows(page.rows, clusters, timezone.now()),
        "chips": wanted.chips(meant.counts_by_status()),
        "clusters": clusters,
        "has_many_clusters": len(clusters) > 1,
    }
    return render(request, "health/checks.html", context)


@require_GET
def check(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One check: what it is, what it says, its history, and what else happened then."""
    found = get_object_or_404(Check.every.select_related("cluster__state"), pk=pk)
    cluster = name_in(request, "cluster")
    if cluster and cluster != found.cluster.name:
        # The switcher of clusters keeps the page; this one belongs to one of them.
        return redirect(f"{reverse('health:checks')}?{urlencode({'cluster': cluster})}")
    changes = Transition.objects.filter(check_ref=found)
    if export.wanted(request):
        return export.export(request, f"check-{pk}", _change_facts(found))
    now = timezone.now()
    page = paging.page(
        changes.defer("output").annotate(shown=Left("output", OUTPUT_SHOWN)),
        ("-at", "-id"),
        request.GET.get("after", ""),
        MOMENTS_SHOWN,
    )
    context = {
        "check": found,
        "bar": bars_for([found], now)[found.pk],
        "is_old": is_old(found.cluster, now),
        "page": page,
        "moments": _moments(found, page),
        "alerts": Alert.objects.filter(check_ref=found)
        .select_related("acknowledged_by")
        .order_by("-opened_at", "-id")[:ALERTS_SHOWN],
        "around": around(found, found.since),
    }
    return render(request, "health/check.html", context)


def _moments(check: Check, page: paging.Page[Transition]) -> list[Moment]:
    newer = None
    if page.rows and not page.is_first:
        first = page.rows[0]
        beyond = Q(at__gt=first.at) | Q(at=first.at, id__gt=first.pk)
        newer = check.transitions.filter(beyond).order_by("at", "id").first()
    return moments(page.rows, newer)


def _change_facts(check: Check) -> Iterator[dict[str, Any]]:
    for row in check.transitions.order_by("-at", "-id").iterator(chunk_size=500):
        yield {
            "at": row.at,
            "previous": row.previous,
            "status": row.status,
            "watched": row.watched,
            "output": row.output,
        }

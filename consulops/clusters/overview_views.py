"""The first page: how every cluster is, what is wrong now, and what has just changed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from consulops.alerts.models import Alert, Route
from consulops.clusters.summary import Summary, summarize
from consulops.clusters.views import export_rows, sizes, with_state
from consulops.core import export
from consulops.core.bars import BarHour
from consulops.health.bars import bars_by, blank
from consulops.health.models import Check, Transition
from consulops.health.rows import named
from consulops.notifiers.models import Notifier

ALERTS_SHOWN = 12
CHANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Card:
    """One cluster of the overview."""

    row: Summary
    bar: list[BarHour]


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What is still missing before the first alert can reach anybody."""

    cluster: bool
    notifier: bool
    route: bool

    @property
    def are_done(self) -> bool:
        return self.cluster and self.notifier and self.route


@require_GET
def overview(request: HttpRequest) -> HttpResponseBase:
    """All clusters, or the one that is chosen; worst first."""
    now = timezone.now()
    rows = summarize(with_state(), sizes(), now)
    steps = FirstSteps(
        cluster=bool(rows),
        notifier=Notifier.objects.filter(enabled=True).exists(),
        route=Route.objects.filter(enabled=True, notifiers__enabled=True).exists(),
    )
    chosen = request.GET.get("cluster")
    shown = [row for row in rows if row.cluster.name == chosen] if chosen else rows
    if export.wanted(request):
        return export.export(request, "overview", export_rows(shown))
    clusters = [row.cluster for row in shown]
    bars = bars_by(Check.objects.filter(cluster__in=clusters), ("cluster",), clusters, now)
    # Those about ConsulOps itself belong to none.
    ours = Q() if chosen else Q(cluster__internal=True)
    alerts = Alert.objects.filter(ours | Q(cluster__in=clusters), resolved_at=None)
    changes = Transition.objects.told().filter(cluster__in=clusters).order_by("-at", "-id")
    context = {
        "steps": steps,
        "cards": [Card(row, bars.get((row.cluster.pk,), blank(now))) for row in shown],
        "alert_count": alerts.count(),
        "alerts": list(alerts.with_names().order_by("rank", "-opened_at", "-id")[:ALERTS_SHOWN]),
        "changes": named(changes[:CHANGES_SHOWN], clusters),
    }
    return render(request, "overview/overview.html", context)

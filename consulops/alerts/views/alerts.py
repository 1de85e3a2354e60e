"""The list of alerts, and the page of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from consulops.accounts.models import User
from consulops.alerts import story
from consulops.alerts.forms import AcknowledgeForm
from consulops.alerts.models import Alert
from consulops.alerts.querysets import AlertQuerySet
from consulops.alerts.similar import earlier, similar
from consulops.alerts.timeline import Entry, timeline
from consulops.alerts.told import Told, summaries
from consulops.alerts.views.actions import CommentForm
from consulops.clusters.models import Cluster
from consulops.core import export, paging
from consulops.core.status import FAILING, Status
from consulops.health.asked import Asked, asked, name_in
from consulops.health.rows import around
from consulops.live.etag import fresh_by

# Where a team writes what to do about a check: the first address in its notes.
_ADDRESS = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")

_WORST_FIRST = ("rank", "-opened_at", "-id")
_NEWEST_FIRST = ("-opened_at", "-id")
_EXPORTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One alert as the list shows it."""

    alert: Alert
    told: Told


@dataclass(frozen=True, slots=True)
class View:
    """One of the list's chips: which alerts it shows, and in which order."""

    label: str
    order: tuple[str, ...]
    take: Callable[[AlertQuerySet], AlertQuerySet]


# By the value of `?state=`; without one the open alerts are shown.
_VIEWS = {
    "": View("Open", _WORST_FIRST, AlertQuerySet.open),
    "unacknowledged": View("Unacknowledged", _WORST_FIRST, AlertQuerySet.unacknowledged),
    "acknowledged": View("Acknowledged", _WORST_FIRST, AlertQuerySet.acknowledged),
    "silenced": View("Silenced", _WORST_FIRST, AlertQuerySet.silenced),
    "flapping": View("Flapping", _WORST_FIRST, AlertQuerySet.flapping),
    "resolved": View("Resolved", _NEWEST_FIRST, AlertQuerySet.resolved),
    "all": View("All", _NEWEST_FIRST, AlertQuerySet.all),
}
# Which alerts may be open for; the others have too few to be chosen.
_STATUSES = (*FAILING, Status.MAINTENANCE)


@require_GET
@fresh_by("alerts", "deliveries", "routes", "clusters", "users", "silences")
def alerts(request: HttpRequest) -> HttpResponseBase:
    """The open alerts, worst first; or others that the query string asks for."""
    wanted = asked(request)
    state = request.GET.get("state", "")
    state = state if state in _VIEWS else ""
    meant = Alert.objects.asked_for(wanted)
    found, order = _VIEWS[state].take(meant), _VIEWS[state].order
    if export.wanted(request):
        return export.export(request, "alerts", _facts(found.order_by(*order)))
    page = paging.page(found.with_names(), order, wanted.after)
    context = {
        "asked": wanted,
        "state": state,
        "page": page,
        "rows": _rows(page.rows),
        "chips": _chips(wanted, meant.counts()),
        "acknowledge": AcknowledgeForm(),
        "statuses": _STATUSES,
        "may_act": isinstance(request.user, User) and request.user.is_operator,
        "has_clusters": Cluster.objects.exists(),
    }
    return render(request, "alerts/list.html", context)


def _rows(found: Sequence[Alert]) -> list[Row]:
    told = summaries(found)
    return [Row(alert, told[alert.pk]) for alert in found]


def _chips(wanted: Asked, counts: dict[str, int]) -> list[dict[str, object]]:
    chips: list[dict[str, object]] = [
        {"key": "state", "value": value, "label": view.label, "count": counts[value or "open"]}
        for value, view in _VIEWS.items()
    ]
    # A service and a node are chosen in a row; here they are seen, and taken away again.
    chosen = {"service": wanted.service, "node": wanted.node}
    return chips + [
        {"key": key, "value": value, "label": f"{key.capitalize()} {value}", "count": None}
        for key, value in chosen.items()
        if value
    ]


@require_GET
@fresh_by(
    *("alerts", "deliveries", "routes", "clusters", "users", "checks", "notifiers", "silences")
)
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what fails, who looks after it, whom it was told to and why, and what was said."""
    rows = Alert.objects.select_related("check_ref", "cluster", "acknowledged_by")
    found = get_object_or_404(rows, pk=pk)
    cluster = name_in(request, "cluster")
    if cluster and cluster != found.cluster.name:
        # The switcher of clusters keeps the page; this one belongs to one of them.
        return redirect(f"{reverse('alerts:list')}?{urlencode({'cluster': cluster})}")
    told = story.stories(found)
    context = {
        "alert": found,
        "meaning": [one for one in told if one.matters],
        "others": [one for one in told if not one.matters],
        "silence": story.silence(found, told),
        "quiet": summaries([found])[found.pk].quiet,
        "entries": (entries := timeline(found)),
        "output": _output(found, entries),
        "runbook": _runbook(found.check_ref.notes),
        "similar": similar(found),
        "earlier": earlier(found),
        "around": around(found.check_ref, found.opened_at),
        "form": AcknowledgeForm(),
        # Its field must not have the id of the other form's.
        "comment": CommentForm(auto_id="note_%s"),
    }
    return render(request, "alerts/detail.html", context)


def _output(found: Alert, entries: Sequence[Entry]) -> str:
    """What the check says; of an alert that is over, what it said last while it failed."""
    if found.resolved_at is None:
        return found.check_ref.output
    failing = [
        entry.change for entry in entries if entry.change and entry.change.at < found.resolved_at
    ]
    return str(getattr(failing[0], "shown", "")) if failing else ""


def _runbook(notes: str) -> str:
    found = _ADDRESS.search(notes)
    return found[0] if found else ""


def _facts(found: AlertQuerySet) -> Iterator[dict[str, Any]]:
    rows = found.with_names().iterator(chunk_size=_EXPORTED_AT_ONCE)
    for row in rows:
        check = row.check_ref
        yield {
            "id": row.pk,
            "cluster": row.cluster.name,
            "status": row.status,
            "previous": row.previous,
            "service": check.service,
            "node": check.node,
            "check": check.check_id,
            "name": check.name,
            "since": row.since,
            "opened_at": row.opened_at,
            "resolved_at": row.resolved_at,
            "acknowledged_at": row.acknowledged_at,
            "acknowledged_by": row.acknowledged_by.username if row.acknowledged_by else "",
            "comment": row.comment,
        }

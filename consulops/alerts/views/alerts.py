"""The list of alerts, the page of one, and the buttons that acknowledge them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role, User
from consulops.alerts import services, story
from consulops.alerts.forms import AcknowledgeForm
from consulops.alerts.models import Alert
from consulops.alerts.querysets import AlertQuerySet
from consulops.alerts.told import Told, summaries
from consulops.alerts.views.answers import done
from consulops.clusters.models import Cluster
from consulops.core import export, paging
from consulops.health.asked import Asked, asked, name_in
from consulops.health.models import Transition
from consulops.health.rows import OUTPUT_SHOWN
from consulops.live.etag import fresh_by

DELIVERIES_SHOWN = 50
CHANGES_SHOWN = 50
EARLIER_SHOWN = 10

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


# By the value of `?state=`; without one the open alerts are shown.
_VIEWS = {
    "": View("Open", _WORST_FIRST),
    "acknowledged": View("Acknowledged", _WORST_FIRST),
    "resolved": View("Resolved", _NEWEST_FIRST),
    "all": View("All", _NEWEST_FIRST),
}


@require_GET
@fresh_by("alerts", "deliveries", "routes", "clusters", "users")
def alerts(request: HttpRequest) -> HttpResponseBase:
    """The open alerts, worst first; or others that the query string asks for."""
    wanted = asked(request)
    state = request.GET.get("state", "")
    state = state if state in _VIEWS else ""
    meant = Alert.objects.asked_for(wanted)
    found = _of_state(meant, state)
    order = _VIEWS[state].order
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
        "may_acknowledge": isinstance(request.user, User) and request.user.is_operator,
        "has_clusters": Cluster.objects.exists(),
    }
    return render(request, "alerts/list.html", context)


def _of_state(meant: AlertQuerySet, state: str) -> AlertQuerySet:
    if state == "all":
        return meant
    if state == "resolved":
        return meant.resolved()
    return meant.acknowledged() if state else meant.open()


def _rows(found: Sequence[Alert]) -> list[Row]:
    told = summaries(found)
    return [Row(alert, told[alert.pk]) for alert in found]


def _chips(wanted: Asked, counts: dict[str, int]) -> list[dict[str, object]]:
    chips: list[dict[str, object]] = [
        {"key": "state", "value": value, "label": view.label, "count": counts[value or "open"]}
        for value, view in _VIEWS.items()
    ]
    # A service and a node are chosen in a row; here they are seen, and taken away again.
    chosen = {"service": wanted.service, "node": wanted.node, "status": wanted.status}
    return chips + [
        {"key": key, "value": value, "label": f"{key.capitalize()} {value}", "count": None}
        for key, value in chosen.items()
        if value
    ]


@require_GET
@fresh_by("alerts", "deliveries", "routes", "clusters", "users", "checks", "notifiers")
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what fails, who looks after it, and whom it was told to and why."""
    rows = Alert.objects.select_related("check_ref", "cluster", "acknowledged_by")
    found = get_object_or_404(rows, pk=pk)
    cluster = name_in(request, "cluster")
    if cluster and cluster != found.cluster.name:
        # The switcher of clusters keeps the page; this one belongs to one of them.
        return redirect(f"{reverse('alerts:list')}?{urlencode({'cluster': cluster})}")
    told = story.stories(found)
    deliveries = story.listed(found.deliveries.all())[: DELIVERIES_SHOWN + 1]
    earlier = Alert.objects.filter(check_ref=found.check_ref_id, opened_at__lt=found.opened_at)
    context = {
        "alert": found,
        "meaning": [one for one in told if one.matters],
        "others": [one for one in told if not one.matters],
        "silence": story.silence(found, told),
        "deliveries": deliveries[:DELIVERIES_SHOWN],
        "changes": (changes := _changes(found)),
        "output": _output(found, changes),
        "earlier": earlier.select_related("acknowledged_by").order_by(*_NEWEST_FIRST)[
            :EARLIER_SHOWN
        ],
        "form": AcknowledgeForm(),
    }
    return render(request, "alerts/detail.html", context)


def _changes(found: Alert) -> list[Transition]:
    """What its check has gone through while the alert lasted, newest first."""
    rows = Transition.objects.filter(check_ref=found.check_ref_id, at__gte=found.opened_at)
    if found.resolved_at is not None:
        rows = rows.filter(at__lte=found.resolved_at)
    short = rows.defer("output").annotate(shown=Left("output", OUTPUT_SHOWN))
    return list(short.order_by("-at", "-id")[:CHANGES_SHOWN])


def _output(found: Alert, changes: Sequence[Transition]) -> str:
    """What the check says; of an alert that is over, what it said last while it failed."""
    if found.resolved_at is None:
        return found.check_ref.output
    failing = [change for change in changes if change.at < found.resolved_at]
    return str(getattr(failing[0], "shown", "")) if failing else ""


@requires(Role.OPERATOR)
@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Takes one alert on."""
    found = get_object_or_404(Alert, pk=pk)
    return _acknowledge(request, [found], reverse("alerts:detail", args=[pk]))


@requires(Role.OPERATOR)
@require_POST
def acknowledge_many(request: HttpRequest) -> HttpResponse:
    """Takes the ticked alerts on, with one comment for all."""
    keys = [text for text in request.POST.getlist("alert") if text.isdecimal()]
    found = list(Alert.objects.filter(pk__in=keys))
    if not found:
        return done(request, "No alert is ticked.", reverse("alerts:list"), ok=False)
    return _acknowledge(request, found, reverse("alerts:list"))


def _acknowledge(request: HttpRequest, found: Sequence[Alert], otherwise: str) -> HttpResponse:
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        text = " ".join(map(str, form.errors["comment"]))
        return done(request, f"Not acknowledged: {text}", otherwise, ok=False)
    taken = services.acknowledge(Actor.of(request), found, form.cleaned_data["comment"])
    return done(request, _said(len(taken), len(found)), otherwise, ok=bool(taken))


def _said(taken: int, asked_for: int) -> str:
    if asked_for == 1:
        return "Acknowledged." if taken else "It is over, or was acknowledged already."
    late = asked_for - taken
    text = f"{taken} of {asked_for} alerts" if late else f"{taken} alerts"
    return f"{text} acknowledged." + (" The others are over, or were already." if late else "")


@requires(Role.OPERATOR)
@require_POST
def unacknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Takes an acknowledgement back."""
    found = get_object_or_404(Alert, pk=pk)
    services.unacknowledge(Actor.of(request), found)
    return done(
        request, "No longer acknowledged: reminders go on.", reverse("alerts:detail", args=[pk])
    )


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

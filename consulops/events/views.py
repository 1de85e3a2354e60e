"""The pages of events: the list, one event with what its handlers did, and firing one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.clusters.models import Cluster
from consulops.consulapi import ConsulError
from consulops.consulapi.errors import ServerError
from consulops.core import export, paging
from consulops.core.crypto import WrongKey
from consulops.events import services
from consulops.events.forms import FireForm
from consulops.events.models import Event, EventQuerySet, Feed
from consulops.health.asked import asked, name_in
from consulops.live.etag import fresh_by

_NEWEST_FIRST = ("-seen_at", "-id")
_EXPORTED_AT_ONCE = 500


@require_GET
@fresh_by("events", "clusters")
def events(request: HttpRequest) -> HttpResponseBase:
    """All events, newest first."""
    wanted = asked(request)
    meant = Event.objects.asked_for(wanted.cluster, wanted.q)
    state = "wrong" if request.GET.get("state") == "wrong" else ""
    found = meant.gone_wrong() if state else meant
    if export.wanted(request):
        return export.export(request, "events", _facts(found.order_by(*_NEWEST_FIRST)))
    page = paging.page(found.with_names(), _NEWEST_FIRST, wanted.after)
    context = {
        "asked": wanted,
        "state": state,
        "page": page,
        "feeds": Feed.objects.troubled(wanted.cluster, timezone.now()),
        "chips": [{"key": "state", "value": "wrong", "label": "Handler failed", "count": None}],
        "has_clusters": Cluster.objects.exists(),
    }
    return render(request, "events/list.html", context)


@require_GET
@fresh_by("events", "clusters")
def event(request: HttpRequest, pk: int) -> HttpResponse:
    """One event: its payload, and what each handler did with it."""
    found = get_object_or_404(Event.objects.select_related("cluster"), pk=pk)
    cluster = name_in(request, "cluster")
    if cluster and cluster != found.cluster.name:
        # The switcher of clusters keeps the page; this one belongs to one of them.
        return redirect(f"{reverse('events:list')}?{urlencode({'cluster': cluster})}")
    runs = found.runs.select_related("handler").order_by("pk")
    return render(request, "events/detail.html", {"event": found, "runs": runs})


@requires(Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def fire(request: HttpRequest) -> HttpResponse:
    """Fires an event, and shows what Consul says when it does not take it."""
    form = FireForm(request.POST or None, initial=_asked_to_fire(request))
    if form.is_valid() and _fired(request, form):
        cluster, name = form.cleaned_data["cluster"], form.cleaned_data["name"]
        text = f"{name} is fired into {cluster}. It is listed once the watched agent hears of it."
        messages.success(request, text)
        return redirect("events:list")
    return render(request, "events/fire.html", {"form": form})


def _asked_to_fire(request: HttpRequest) -> dict[str, Any]:
    """What the form holds at first: the chosen cluster, or all of the event in `?again=`."""
    key = request.GET.get("again", "")
    found = Event.objects.select_related("cluster").filter(pk=key) if key.isdecimal() else []
    for former in found:
        filters = {"node": former.node_filter, "service": former.service_filter}
        event = {"cluster": former.cluster.name, "name": former.name, "payload": former.text}
        return {**event, **filters, "tag": former.tag_filter}
    return {"cluster": name_in(request, "cluster")}


def _fired(request: HttpRequest, form: FireForm) -> bool:
    try:
        services.fire(Actor.of(request), form.cleaned_data["cluster"], form.wish())
    except ConsulError as error:
        # A server's failure has the advice of a watcher, which tries again by itself.
        advice = "" if isinstance(error, ServerError) else error.advice
        form.add_error(None, f"{error.text} {advice}".strip())
    except (services.ReadOnly, WrongKey) as error:
        form.add_error(None, str(error))
    return form.is_valid()


def _facts(found: EventQuerySet) -> Iterator[dict[str, Any]]:
    for row in found.with_names().iterator(chunk_size=_EXPORTED_AT_ONCE):
        text = row.text
        yield {
            "id": row.event_id,
            "cluster": row.cluster.name,
            "name": row.name,
            "payload": base64.b64encode(row.bytes).decode() if text is None else text,
            "payload_encoding": "base64" if text is None else "utf-8",
            "node_filter": row.node_filter,
            "service_filter": row.service_filter,
            "tag_filter": row.tag_filter,
            "ltime": row.ltime,
            "seen_at": row.seen_at,
            "handlers": [f"{run.handler_name}: {run.state}" for run in row.runs.all()],
        }

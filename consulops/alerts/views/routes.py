"""The list of routes in their order, and the form of one with its preview."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts import services, wording
from consulops.alerts.forms import RouteForm
from consulops.alerts.models import Route
from consulops.alerts.preview import preview
from consulops.alerts.views.answers import done
from consulops.core import export
from consulops.health.matching import compile_match
from consulops.live.context import is_fragment
from consulops.live.etag import fresh_by
from consulops.notifiers.models import Notifier


@require_GET
@fresh_by("routes", "notifiers")
def routes(request: HttpRequest) -> HttpResponseBase:
    """All routes in the order in which they are tried."""
    rows = wording.in_order(Route.objects.prefetch_related("notifiers", "escalate_to"))
    if export.wanted(request):
        return export.export(request, "routes", map(_facts, rows))
    context = {"rows": rows, "some_are_used": any(row.route.enabled for row in rows)}
    return render(request, "alerts/routes.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Adds a route, below the others."""
    return _form(request, RouteForm(request.POST or None))


@requires(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes a route."""
    return _form(request, RouteForm(request.POST or None, instance=get_object_or_404(Route, pk=pk)))


def _form(request: HttpRequest, form: RouteForm) -> HttpResponse:
    if form.is_valid():
        # As it is saved: the form has already written into its own.
        before = Route.objects.filter(pk=form.instance.pk).first()
        name = form.cleaned_data["name"]
        told, next_ones = (list(form.cleaned_data[one]) for one in ("notifiers", "escalate_to"))
        try:
            _, changed = services.save_route(
                Actor.of(request), name, form.values(), told, before, next_ones
            )
        except IntegrityError:
            form.add_error("name", "Another route took this name a moment ago.")
        else:
            messages.success(request, f"{name} {'is saved' if changed else 'is as it was'}.")
            return redirect("alerts:routes")
    return _form_page(request, form)


def _form_page(
    request: HttpRequest, form: RouteForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "saved": Route.objects.filter(pk=form.instance.pk).first(),
        "has_notifiers": Notifier.objects.exists(),
        **(more or {}),
    }
    return render(request, "alerts/route_form.html", context)


@requires(Role.ADMIN)
@require_POST
def try_out(request: HttpRequest) -> HttpResponse:
    """Says which checks the matchers in the form mean now; saves nothing."""
    key = request.POST.get("route", "")
    route = Route.objects.filter(pk=key).first() if key.isdecimal() else None
    form = RouteForm(request.POST, instance=route)
    wrong = form.wrong_matchers()
    context: dict[str, Any] = {"wrong": wrong, "tried": True}
    if not wrong:
        context["preview"] = preview(compile_match(form.match()))
    if is_fragment(request):
        return render(request, "alerts/_preview.html", context)
    return _form_page(request, form, context)


@requires(Role.ADMIN)
@require_POST
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Puts a route one place up or down."""
    route = get_object_or_404(Route, pk=pk)
    is_up = request.POST.get("direction") == "up"
    services.move_route(Actor.of(request), route, is_up)
    text = f"{route.name} is now tried {'earlier' if is_up else 'later'}."
    return done(request, text, reverse("alerts:routes"))


@requires(Role.ADMIN)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Removes a route."""
    route = get_object_or_404(Route, pk=pk)
    services.delete_route(Actor.of(request), route)
    messages.success(request, f"{route.name} is deleted.")
    return redirect("alerts:routes")


def _facts(row: wording.Words) -> dict[str, Any]:
    route = row.route
    return {
        "name": route.name,
        "enabled": route.enabled,
        "match": route.match,
        "wait_s": route.wait_s,
        "remind_every_s": route.remind_every_s,
        "group_by": route.group_by,
        "group_wait_s": route.group_wait_s,
        "group_interval_s": route.group_interval_s,
        "active_hours": route.active_hours,
        "escalate_after_s": route.escalate_after_s,
        "escalate_to": [notifier.name for notifier in row.next_ones],
        "notify_resolved": route.notify_resolved,
        "continue": route.continues,
        "notifiers": [notifier.name for notifier in row.notifiers],
    }

"""The pages of event handlers: list, new, edit, test and delete."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.core import export
from consulops.events import services, trial
from consulops.events.forms import HandlerForm
from consulops.events.kinds import KINDS, Webhook
from consulops.events.models import EventHandler
from consulops.live.context import is_fragment
from consulops.notifiers.base import Kind

RUNS_SHOWN = 20


@require_GET
def handlers(request: HttpRequest) -> HttpResponseBase:
    """All handlers, with how they fare."""
    rows = EventHandler.objects.with_counts(timezone.now())
    if export.wanted(request):
        return export.export(request, "event-handlers", map(_facts, rows))
    return render(request, "events/handlers.html", {"rows": rows})


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Adds a handler; the query string says which kind to show at first."""
    kind = _kind(request.POST.get("kind") or request.GET.get("kind", ""))
    return _form(request, HandlerForm(kind, request.POST or None))


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes a handler's settings. Its kind stays: another kind is another handler."""
    handler = get_object_or_404(EventHandler, pk=pk)
    return _form(request, HandlerForm(_kind(handler.kind), request.POST or None, instance=handler))


@requires(Role.OPERATOR)
@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Runs the saved handler with a made-up event, and shows what it really says."""
    handler = get_object_or_404(EventHandler, pk=pk)
    tried = trial.try_out(Actor.of(request), handler)
    page = "_tried.html" if is_fragment(request) else "tried.html"
    return render(request, f"events/{page}", {"handler": handler, "tried": tried})


@requires(Role.ADMIN)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Removes a handler."""
    handler = get_object_or_404(EventHandler, pk=pk)
    services.delete_handler(Actor.of(request), handler)
    messages.success(request, f"{handler.name} is deleted.")
    return redirect("events:handlers")


def _form(request: HttpRequest, form: HandlerForm) -> HttpResponse:
    """Shows, tests or saves what is in the form; the buttons tell which by their names."""
    if "test" in request.POST:
        return _tested(request, form)
    if form.is_valid():
        try:
            saved = services.save_handler(Actor.of(request), form.instance)
        except IntegrityError:
            form.add_error("name", "Another handler took this name a moment ago.")
        else:
            done = "is saved" if saved else "is as it was"
            messages.success(request, f"{form.instance.name} {done}.")
            return redirect("events:handlers")
    return _form_page(request, form)


def _tested(request: HttpRequest, form: HandlerForm) -> HttpResponse:
    """Runs what is in the form now, saved or not."""
    context: dict[str, Any] = {"handler": form.instance}
    if form.is_valid():
        context["tried"] = trial.try_out(Actor.of(request), form.instance)
    else:
        context["wrong"] = form.reasons()
    if is_fragment(request):
        return render(request, "events/_tried.html", context)
    return _form_page(request, form, context)


def _form_page(
    request: HttpRequest, form: HandlerForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    if form.is_bound:
        form.ask_again()
    # The row as it is saved: the form has already written into its own.
    saved = EventHandler.objects.filter(pk=form.instance.pk).first()
    runs = saved.runs.select_related("event").order_by("-pk")[:RUNS_SHOWN] if saved else []
    context = {"form": form, "kinds": KINDS.values(), "saved": saved, "runs": runs, **(more or {})}
    return render(request, "events/handler_form.html", context)


def _kind(name: str) -> type[Kind]:
    return KINDS.get(name, Webhook)


def _facts(row: EventHandler) -> dict[str, Any]:
    return {
        "name": row.name,
        "enabled": row.enabled,
        "event": row.event_pattern,
        "cluster": row.cluster_pattern,
        "kind": row.kind,
        "target": row.target,
        "timeout_s": row.timeout_s,
        **{name: getattr(row, name) for name in ("waiting", "done", "wrong")},
    }

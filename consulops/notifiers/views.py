"""The pages of notifiers: list, new, edit, test and delete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import IntegrityError
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts.models import Delivery
from consulops.alerts.story import listed
from consulops.core import export
from consulops.live.context import is_fragment
from consulops.notifiers import services
from consulops.notifiers.base import GROUPS, AlertFacts, Kind, Message
from consulops.notifiers.forms import NotifierForm
from consulops.notifiers.models import Notifier
from consulops.notifiers.preview import preview
from consulops.notifiers.registry import kinds
from consulops.notifiers.samples import SAMPLES

DEFAULT_KIND = "webhook"
DELIVERIES_SHOWN = 20
# Past messages to choose from, and how many are looked through for that many different ones.
PAST_SHOWN = 20
PAST_READ = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One notifier as the list shows it."""

    notifier: Notifier
    kind: str
    route_count: int


@require_GET
def notifiers(request: HttpRequest) -> HttpResponseBase:
    """All notifiers, those that cannot send any more first."""
    counts = Notifier.objects.route_counts()
    rows = [
        Row(notifier, _label(notifier), counts.get(notifier.pk, 0))
        for notifier in Notifier.objects.worst_first()
    ]
    if export.wanted(request):
        return export.export(request, "notifiers", _export_rows(rows))
    return render(request, "notifiers/list.html", {"rows": rows})


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Adds a notifier; the query string says which kind to show at first."""
    kind = _kind(request.POST.get("kind") or request.GET.get("kind", DEFAULT_KIND))
    return _form(request, NotifierForm(kind, request.POST or None))


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes a notifier's settings. Its kind stays: another kind is another notifier."""
    notifier = get_object_or_404(Notifier, pk=pk)
    form = NotifierForm(_kind(notifier.kind), request.POST or None, instance=notifier)
    return _form(request, form)


@requires(Role.OPERATOR)
@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Sends a test message with the saved settings, and shows the real answer."""
    notifier = get_object_or_404(Notifier, pk=pk)
    tested = services.send_test(Actor.of(request), notifier)
    page = "_tested.html" if is_fragment(request) else "tested.html"
    return render(request, f"notifiers/{page}", {"notifier": notifier, "tested": tested})


@requires(Role.ADMIN)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Removes a notifier, unless a route would then tell nobody."""
    notifier = get_object_or_404(Notifier, pk=pk)
    try:
        services.delete_notifier(Actor.of(request), notifier)
    except services.InUse as error:
        messages.error(request, f"{notifier.name} was not deleted. {error}")
        return redirect("notifiers:edit", pk)
    messages.success(request, f"{notifier.name} is deleted.")
    return redirect("notifiers:list")


def _form(request: HttpRequest, form: NotifierForm) -> HttpResponse:
    """Shows, tests or saves what is in the form; the buttons tell which by their names."""
    if "preview" in request.POST:
        return _previewed(request, form)
    if "test" in request.POST:
        return _tested(request, form)
    if form.is_valid():
        try:
            saved = services.save_notifier(Actor.of(request), form.instance)
        except IntegrityError:
            form.add_error("name", "Another notifier took this name a moment ago.")
        else:
            done = "is saved" if saved else "is as it was"
            messages.success(request, f"{form.instance.name} {done}.")
            return redirect("notifiers:list")
    return _form_page(request, form)


def _tested(request: HttpRequest, form: NotifierForm) -> HttpResponse:
    """Sends a test message with what is in the form now, saved or not."""
    context: dict[str, Any] = {"notifier": form.instance}
    if form.is_valid():
        context["tested"] = services.send_test(Actor.of(request), form.instance)
    else:
        context["wrong"] = form.reasons()
    if is_fragment(request):
        return render(request, "notifiers/_tested.html", context)
    return _form_page(request, form, context)


def _previewed(request: HttpRequest, form: NotifierForm) -> HttpResponse:
    """Shows what the templates in the form make of a past message or of a sample."""
    form.full_clean()
    chosen = request.POST.get("preview_of", "")
    message = _message(chosen)
    context = {
        "parts": preview(form.kind, form.settings, form.wording, message),
        "preview_of": chosen,
        "message": message,
    }
    if is_fragment(request):
        return render(request, "notifiers/_preview.html", context)
    return _form_page(request, form, context)


def _message(chosen: str) -> Message:
    """The past message with this number, or the sample of this name; else the first sample."""
    if chosen.isascii() and chosen.isdigit():
        past = Delivery.objects.filter(pk=int(chosen[:18])).values_list("message", flat=True)
        for message in past:
            return Message.from_dict(message)
    return SAMPLES.get(chosen) or next(iter(SAMPLES.values()))


def _past() -> list[tuple[str, str]]:
    """The latest messages that are not the same, as number and words."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    # Without the whole of a message: one may hold thousands of alerts.
    newest = Delivery.objects.order_by("-created_at", "-pk").values_list(
        "pk",
        "created_at",
        "reason",
        KeyTransform("cluster", "message"),
        KeyTransform("0", KeyTransform("alerts", "message")),
    )
    for pk, at, reason, cluster, alert in newest[:PAST_READ]:
        title = AlertFacts.from_dict(alert, cluster).title if alert else cluster
        found.setdefault((title, reason), (str(pk), f"{at:%Y-%m-%d %H:%M} {reason}: {title}"))
    return list(found.values())[:PAST_SHOWN]


def _form_page(
    request: HttpRequest, form: NotifierForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    if form.is_bound:
        form.ask_again()
    # The row as it is saved: the form has already written into its own.
    saved = Notifier.objects.filter(pk=form.instance.pk).first()
    context = {
        "form": form,
        "groups": _groups(),
        "samples": list(SAMPLES),
        "past": _past() if form.kind.templated else [],
        "saved": saved,
        "routes": list(saved.routes.all()) if saved else [],
        "deliveries": list(listed(saved.deliveries.all())[:DELIVERIES_SHOWN]) if saved else [],
        **(more or {}),
    }
    return render(request, "notifiers/form.html", context)


def _groups() -> dict[str, list[type[Kind]]]:
    """All kinds under the headings by which people look for them."""
    found = {group: [kind for kind in kinds().values() if kind.group == group] for group in GROUPS}
    return {group: members for group, members in found.items() if members}


def _kind(name: str) -> type[Kind]:
    """The kind of this name; another one for a name that only an older release knew."""
    return kinds().get(name) or kinds()[DEFAULT_KIND]


def _label(notifier: Notifier) -> str:
    kind = kinds().get(notifier.kind)
    return kind.label if kind else f"{notifier.kind} (not known here)"


def _export_rows(rows: list[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "name": row.notifier.name,
            "kind": row.notifier.kind,
            "enabled": row.notifier.enabled,
            "routes": row.route_count,
            "sent_at": row.notifier.sent_at,
            "error": row.notifier.error,
            "error_at": row.notifier.error_at,
            "error_is_permanent": row.notifier.error_is_permanent,
        }

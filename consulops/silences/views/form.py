"""The form of a silence with its preview."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role, User
from consulops.alerts.models import Alert
from consulops.health.matching import compile_match
from consulops.live.context import is_fragment
from consulops.silences import services, words
from consulops.silences.forms import SilenceForm
from consulops.silences.guards import BadSilence, means_everything
from consulops.silences.models import Silence
from consulops.silences.views.reach import reaches


@requires(Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Adds a silence; `?alert=` and `?copy=` say whose matchers to begin with."""
    form = SilenceForm(
        request.POST or None, may_be_endless=_may_be_endless(request), **_begin_with(request)
    )
    return _save(request, form)


@requires(Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes a silence."""
    silence = get_object_or_404(Silence, pk=pk)
    form = SilenceForm(
        request.POST or None, may_be_endless=_may_be_endless(request), silence=silence
    )
    return _save(request, form)


@requires(Role.OPERATOR)
@require_POST
def try_out(request: HttpRequest) -> HttpResponse:
    """Says what the matchers in the form would silence now; saves nothing."""
    silence: Silence | None = _row(Silence.objects.all(), request.POST.get("silence", ""))
    form = SilenceForm(request.POST, may_be_endless=_may_be_endless(request), silence=silence)
    wrong = form.wrong_matchers()
    context: dict[str, Any] = {"wrong": wrong, "tried": True, "is_tried": True}
    if not wrong:
        context |= _preview(form.match())
    if is_fragment(request):
        return render(request, "silences/_preview.html", context)
    return _page(request, form, context)


def _preview(match: dict[str, Any]) -> dict[str, Any]:
    compiled = compile_match(match)
    (reach,) = reaches([compiled])
    return {"reach": reach, "means_everything": means_everything(compiled), "is_tried": True}


def _begin_with(request: HttpRequest) -> dict[str, Any]:
    """The matchers of the alert or the silence that the query string names, if there is one."""
    if alert := _row(
        Alert.objects.select_related("check_ref", "cluster"), request.GET.get("alert", "")
    ):
        check = alert.check_ref
        names = {"service_id": check.service_id, "node": check.node, "check": check.check_id}
        return {
            "match": words.exact(cluster=alert.cluster.name, service=check.service, **names),
            "initial": {"comment": ""},
        }
    if silence := _row(Silence.objects.all(), request.GET.get("copy", "")):
        return {
            "match": silence.match,
            "initial": {"comment": silence.comment, "windows": silence.windows},
        }
    return {}


def _row(rows: Any, key: str) -> Any:
    # A longer number is no key of ours, and none to PostgreSQL.
    is_key = key.isascii() and key.isdigit() and len(key) < 19
    return rows.filter(pk=key).first() if is_key else None


def _may_be_endless(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_admin


def _save(request: HttpRequest, form: SilenceForm) -> HttpResponse:
    if form.is_valid():
        actor, wanted = Actor.of(request), form.wanted(timezone.now())
        try:
            if form.silence is None:
                text = f"Silence #{services.create(actor, wanted).pk} is made."
            else:
                changed = services.change(actor, form.silence, wanted)
                done = "is saved" if changed else "is as it was"
                text = f"Silence #{form.silence.pk} {done}."
        except BadSilence as error:
            form.refuse(error)
        else:
            messages.success(request, text)
            return redirect("silences:list")
    return _page(request, form)


def _page(
    request: HttpRequest, form: SilenceForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "saved": form.silence, **(more or {})}
    if not form.is_bound and form.begun_with:
        context |= _preview(form.begun_with)
    return render(request, "silences/form.html", context)

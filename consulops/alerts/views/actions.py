"""The buttons of alerts, for one or those ticked: acknowledge, take it back, comment, silence."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts import desk, services
from consulops.alerts.forms import AcknowledgeForm
from consulops.alerts.models import Alert
from consulops.alerts.views.answers import done

_NONE_TICKED = "No alert is ticked."


class CommentForm(forms.Form):
    """What somebody writes down about an alert."""

    comment = forms.CharField(
        label="Note",
        max_length=4000,
        widget=forms.Textarea(
            attrs={
                "rows": 2,
                "placeholder": "What you saw, tried or found out",
                # The page fetches its parts again while somebody writes.
                "hx-preserve": "true",
            }
        ),
    )


@requires(Role.OPERATOR)
@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Takes one alert on."""
    return _acknowledge(request, [get_object_or_404(Alert, pk=pk)], _page(pk))


@requires(Role.OPERATOR)
@require_POST
def acknowledge_many(request: HttpRequest) -> HttpResponse:
    """Takes the ticked alerts on, with one comment for all."""
    found = _ticked(request)
    if not found:
        return done(request, _NONE_TICKED, _list(), ok=False)
    return _acknowledge(request, found, _list())


def _acknowledge(request: HttpRequest, found: Sequence[Alert], otherwise: str) -> HttpResponse:
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        return _refused(request, "acknowledged", form, otherwise)
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
    services.unacknowledge(Actor.of(request), get_object_or_404(Alert, pk=pk))
    return done(request, "No longer acknowledged: reminders go on.", _page(pk))


@requires(Role.OPERATOR)
@require_POST
def unacknowledge_many(request: HttpRequest) -> HttpResponse:
    """Takes the acknowledgements of the ticked alerts back."""
    found = _ticked(request)
    if not found:
        return done(request, _NONE_TICKED, _list(), ok=False)
    count = desk.unacknowledge(Actor.of(request), found)
    if not count:
        return done(request, "None of them is open and acknowledged.", _list(), ok=False)
    return done(request, f"{_alerts(count)} no longer acknowledged.", _list())


@requires(Role.OPERATOR)
@require_POST
def silence_many(request: HttpRequest) -> HttpResponse:
    """Keeps the checks of the ticked alerts quiet for an hour."""
    found = [alert for alert in _ticked(request) if alert.is_open]
    if not found:
        return done(request, "No open alert is ticked.", _list(), ok=False)
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        return _refused(request, "silenced", form, _list())
    made = desk.silence(Actor.of(request), found, form.cleaned_data["comment"])
    return done(request, f"{_alerts(len(made))} silenced for an hour.", _list())


@requires(Role.OPERATOR)
@require_POST
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Writes something down about one alert."""
    return _comment(request, [get_object_or_404(Alert, pk=pk)], _page(pk))


@requires(Role.OPERATOR)
@require_POST
def comment_many(request: HttpRequest) -> HttpResponse:
    """Writes the same down about the ticked alerts."""
    found = _ticked(request)
    if not found:
        return done(request, _NONE_TICKED, _list(), ok=False)
    return _comment(request, found, _list())


def _comment(request: HttpRequest, found: Sequence[Alert], otherwise: str) -> HttpResponse:
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _refused(request, "commented", form, otherwise)
    desk.comment(Actor.of(request), found, form.cleaned_data["comment"])
    text = "Written down." if len(found) == 1 else f"Written down for {len(found)} alerts."
    return done(request, text, otherwise)


def _refused(request: HttpRequest, what: str, form: forms.Form, otherwise: str) -> HttpResponse:
    text = " ".join(str(error) for error in form.errors["comment"])
    return done(request, f"Not {what}: {text}", otherwise, ok=False)


def _ticked(request: HttpRequest) -> list[Alert]:
    keys = [text for text in request.POST.getlist("alert") if text.isdecimal()]
    found = Alert.objects.filter(pk__in=keys).select_related("check_ref", "cluster")
    return list(found.order_by("pk"))


def _alerts(count: int) -> str:
    return f"{count} alert" if count == 1 else f"{count} alerts"


def _page(pk: int) -> str:
    return reverse("alerts:detail", args=[pk])


def _list() -> str:
    return reverse("alerts:list")

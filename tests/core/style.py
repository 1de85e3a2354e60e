"""The style page: every part of the look with made-up data, for eyes and for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import engines
from django.utils import timezone

from consulops.core.bars import BarHour
from consulops.core.paging import Page
from consulops.core.status import Status, by_rank

OUTPUT = (
    'HTTP GET http://10.0.0.7:8080/health: 503 Service Unavailable Output: {"db": "down"}\n'
    "<script>alert(1)</script>"
)


class StyleForm(forms.Form):
    """One field of each sort."""

    name = forms.CharField(help_text="Letters, digits, dots and dashes.")
    address = forms.URLField(
        help_text="How the web and watch processes reach it.", assume_scheme="https"
    )
    colour = forms.ChoiceField(choices=[("grey", "Grey"), ("red", "Red (production)")])
    notifiers = forms.MultipleChoiceField(
        choices=[("ops", "ops"), ("mail", "mail")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    enabled = forms.BooleanField(
        required=False, help_text="Without it nothing is watched and nobody is told."
    )
    token = forms.CharField(widget=forms.PasswordInput, required=False, help_text="Set on 3 May.")
    certificate = forms.CharField(widget=forms.Textarea, required=False)


def hours(now: datetime, *bad: tuple[int, Status, str]) -> list[BarHour]:
    """24 hours that passed, but for the given ones."""
    told = {hour: (status, text) for hour, status, text in bad}
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    return [
        BarHour(start + timedelta(hours=hour), *told.get(hour, (Status.PASSING, "passing")))
        for hour in range(24)
    ]


def rows(now: datetime) -> list[dict[str, object]]:
    """One row of a table of checks for each state."""
    bars = [
        hours(now, (20, Status.WARNING, "warning 3 min"), (23, Status.CRITICAL, "critical 6 min")),
        hours(now, *((hour, Status.UNKNOWN, "unknown") for hour in range(9))),
    ]
    return [
        {
            "id": number,
            "status": status.value,
            "name": ["HTTP on :8080", "Serf Health Status", "TTL"][number % 3],
            "service": ["web", "payments-gateway-with-a-very-long-name", "api/v2"][number % 3],
            "node": f"ip-10-0-{number}-17.eu-central-1",
            "since": now - timedelta(seconds=17 * 9**number),
            "bar": bars[number % 2],
        }
        for number, status in enumerate(by_rank())
    ]


def show(request: HttpRequest) -> HttpResponse:
    """Renders every part inside the frame."""
    if request.GET.get("toast"):
        messages.success(request, "Saved route “everything”.")
        messages.error(request, "The notifier answered 404: no_service.")
    now = timezone.now()
    context = {
        "form": StyleForm({"name": ""} if request.GET.get("bad") else None),
        "rows": rows(now) if not request.GET.get("q") else [],
        "now": now,
        "states": by_rank(),
        "hours": hours(
            now,
            (3, Status.MAINTENANCE, "maintenance 40 min"),
            (22, Status.CRITICAL, "critical 6 min"),
        ),
        "output": OUTPUT,
        "page": Page([], "abc", is_first=False),
        "chips": [
            {
                "key": "status",
                "value": status.value,
                "label": status.label,
                "count": 1200 // (rank + 1),
            }
            for rank, status in enumerate(by_rank()[:5])
        ],
    }
    template = engines["django"].from_string(_source("style.html"))
    return HttpResponse(template.render(context, request))


def alone(request: HttpRequest) -> HttpResponse:
    """A page outside the frame, such as the sign-in page."""
    return render(request, "404.html")


def _source(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text()

"""Who would be told? Any check and status, every stage's word, and nothing is sent."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from consulops.alerts import story
from consulops.alerts.forms import RehearsalForm
from consulops.alerts.rehearsal import rehearse
from consulops.core.status import FAILING
from consulops.health.models import Check

FOUND = 20


@require_GET
def would_tell(request: HttpRequest) -> HttpResponse:
    """Finds a check, and says what each route would do about it."""
    words = request.GET.get("q", "").replace("\x00", "")[:200].strip()
    form = RehearsalForm(request.GET)
    check = None
    if form.is_valid():
        chosen = Check.every.select_related("cluster").filter(pk=form.cleaned_data["check"])
        check = chosen.first()
    context: dict[str, Any] = {"q": words, "check": check, "statuses": FAILING}
    if check is not None:
        status = form.cleaned_data["status"] or FAILING[0].value
        parts = rehearse(check, status, timezone.now())
        told = [story.of_part(part) for part in parts]
        context |= {
            "status": status,
            "meaning": [one for one in told if one.matters],
            "others": [one for one in told if not one.matters],
            "tells": [part for part in parts if part.tells],
            "waits": [part for part in parts if part.waits],
            "next_ones": [part for part in parts if part.escalations and not part.is_silent],
        }
    else:
        found = Check.every.naming(words).living().worst_first().select_related("cluster")
        rows = list(found.defer("output", "notes")[: FOUND + 1])
        context |= {"found": rows[:FOUND], "has_more": len(rows) > FOUND}
    return render(request, "alerts/would_tell.html", context)

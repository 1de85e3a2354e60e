"""Answers for machines. Without a login: probes and Prometheus have none."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from consulops.api import readiness
from consulops.api.metrics import exposition


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether everything that the product needs is there: 200, or 503 with what is missing."""
    found = readiness.look()
    body = {"status": "ok" if found.is_ready else "not ready", **found.parts}
    return JsonResponse(body, status=200 if found.is_ready else 503)


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers of the product in Prometheus' text format."""
    text, content_type = exposition()
    return HttpResponse(text, content_type=content_type)

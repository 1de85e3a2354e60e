"""What happens after too many wrong passwords: the answer that axes sends instead of the page."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from consulops.accounts.services import record_lockout


def locked_out(request: HttpRequest, *_others: Any) -> HttpResponse:
    """The page with status 429 that says when to try again (settings.AXES_LOCKOUT_CALLABLE).

    Axes hands over more arguments, other ones from its async side than from its sync side; what
    is needed stands on the request.
    """
    username = (getattr(request, "axes_credentials", None) or {}).get("username", "")
    # Axes counts the attempt that closes the door, and none while it is closed.
    if getattr(request, "axes_failures_since_start", None) is not None:
        record_lockout(request, username)
    until = _open_again_at(username, request.META.get("REMOTE_ADDR", ""))
    left_s = max(1, math.ceil((until - timezone.now()).total_seconds()))
    response = render(
        request,
        "accounts/locked_out.html",
        {"until": until, "minutes": math.ceil(left_s / 60)},
        status=429,
    )
    response["Retry-After"] = str(left_s)
    return response


def _open_again_at(username: str, address: str) -> datetime:
    attempts = AccessAttempt.objects.filter(username=username, ip_address=address or None)
    last = attempts.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    cool_off: timedelta = settings.AXES_COOLOFF_TIME
    return last + cool_off

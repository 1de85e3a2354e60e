"""The frame's fragment."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from consulops.accounts.models import User
from consulops.live import context


def frame(request: HttpRequest) -> HttpResponse:
    """The counts and banners of the frame, fetched again by every open page."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101
    return render(request, "_frame_fragment.html", {"frame": context.whole(request, user)})

"""Addresses of the alerts and routes pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def _page(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("")


app_name = "alerts"
urlpatterns = [path("alerts/<int:pk>/", _page, name="detail")]

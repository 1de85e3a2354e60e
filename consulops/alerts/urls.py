"""Addresses of the alerts and routes pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def _page(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse("")


app_name = "alerts"
urlpatterns = [
    path("alerts/", _page, name="list"),
    path("alerts/acknowledge/", _page, name="acknowledge_many"),
    path("alerts/<int:pk>/", _page, name="detail"),
    path("alerts/<int:pk>/acknowledge/", _page, name="acknowledge"),
    path("alerts/<int:pk>/unacknowledge/", _page, name="unacknowledge"),
    path("routes/", _page, name="routes"),
    path("routes/new/", _page, name="route_new"),
    path("routes/preview/", _page, name="route_preview"),
    path("routes/<int:pk>/", _page, name="route_edit"),
    path("routes/<int:pk>/move/", _page, name="route_move"),
    path("routes/<int:pk>/delete/", _page, name="route_delete"),
]

"""Addresses of the live pages."""

from __future__ import annotations

from django.urls import path

from consulops.live import views

app_name = "live"
urlpatterns = [
    path("live/frame", views.frame, name="frame"),
    path("live/stream", views.stream, name="stream"),
]

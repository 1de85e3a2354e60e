"""Addresses of the watchdog's page."""

from __future__ import annotations

from django.urls import path

from consulops.watchdog import views

app_name = "watchdog"
urlpatterns = [
    path("system/watchdog/", views.settings, name="settings"),
    path("system/watchdog/ping/", views.ping, name="ping"),
]

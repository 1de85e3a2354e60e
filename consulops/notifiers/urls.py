"""Addresses of the notifiers pages."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "notifiers"
urlpatterns: list[URLPattern] = []

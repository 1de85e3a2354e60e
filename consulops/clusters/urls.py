"""Addresses of the clusters pages."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "clusters"
urlpatterns: list[URLPattern] = []

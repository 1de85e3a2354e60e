"""Addresses of the loops pages."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "loops"
urlpatterns: list[URLPattern] = []

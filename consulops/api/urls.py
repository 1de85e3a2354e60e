"""Addresses for machines: probes and metrics."""

from __future__ import annotations

from django.urls import path

from consulops.api import views

app_name = "api"
urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
]

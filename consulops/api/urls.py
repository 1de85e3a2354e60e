"""Addresses for machines: probes, metrics, and those of consul-alerts."""

from __future__ import annotations

from django.urls import path

from consulops.api import views
from consulops.api.consul_alerts import views as consul_alerts

app_name = "api"
urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("v1/info", consul_alerts.info, name="consul_alerts_info"),
    path("v1/health", consul_alerts.check, name="consul_alerts_check"),
    path("v1/health/wildcard", consul_alerts.wildcard, name="consul_alerts_wildcard"),
    path("v1/process/checks", consul_alerts.process, name="consul_alerts_checks"),
    path("v1/process/events", consul_alerts.process, name="consul_alerts_events"),
]

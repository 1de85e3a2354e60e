"""Addresses of the health pages."""

from __future__ import annotations

from django.urls import path

from consulops.health.views import checks, groups

app_name = "health"
urlpatterns = [
    path("checks/", checks.checks, name="checks"),
    path("checks/<int:pk>/", checks.check, name="check"),
    path("services/", groups.services, name="services"),
    path("service/", groups.service, name="service"),
    path("nodes/", groups.nodes, name="nodes"),
    path("node/", groups.node, name="node"),
]

"""Addresses of the alerts and routes pages."""

from __future__ import annotations

from django.urls import path

from consulops.alerts.views import alerts, routes

app_name = "alerts"
urlpatterns = [
    path("alerts/", alerts.alerts, name="list"),
    path("alerts/acknowledge/", alerts.acknowledge_many, name="acknowledge_many"),
    path("alerts/<int:pk>/", alerts.alert, name="detail"),
    path("alerts/<int:pk>/acknowledge/", alerts.acknowledge, name="acknowledge"),
    path("alerts/<int:pk>/unacknowledge/", alerts.unacknowledge, name="unacknowledge"),
    path("routes/", routes.routes, name="routes"),
    path("routes/new/", routes.new, name="route_new"),
    path("routes/preview/", routes.try_out, name="route_preview"),
    path("routes/<int:pk>/", routes.edit, name="route_edit"),
    path("routes/<int:pk>/move/", routes.move, name="route_move"),
    path("routes/<int:pk>/delete/", routes.delete, name="route_delete"),
]

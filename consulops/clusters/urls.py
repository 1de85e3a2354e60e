"""Addresses of the clusters pages."""

from __future__ import annotations

from django.urls import path

from consulops.api.consul_alerts.import_view import import_page
from consulops.clusters import views

app_name = "clusters"
urlpatterns = [
    path("clusters/", views.clusters, name="list"),
    path("clusters/new/", views.new, name="new"),
    path("clusters/test/", views.test, name="test"),
    path("clusters/<int:pk>/", views.detail, name="detail"),
    path("clusters/<int:pk>/edit/", views.edit, name="edit"),
    path("clusters/<int:pk>/test/", views.test, name="test"),
    path("clusters/<int:pk>/import-consul-alerts/", import_page, name="import_consul_alerts"),
    path("clusters/<int:pk>/delete/", views.delete, name="delete"),
]

"""Addresses of the notifiers pages."""

from __future__ import annotations

from django.urls import path

from consulops.notifiers import views

app_name = "notifiers"
urlpatterns = [
    path("notifiers/", views.notifiers, name="list"),
    path("notifiers/new/", views.new, name="new"),
    path("notifiers/<int:pk>/", views.edit, name="edit"),
    path("notifiers/<int:pk>/test/", views.test, name="test"),
    path("notifiers/<int:pk>/delete/", views.delete, name="delete"),
]

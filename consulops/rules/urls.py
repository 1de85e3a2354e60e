"""Addresses of the pages of service rules."""

from __future__ import annotations

from django.urls import path

from consulops.rules import views

app_name = "rules"
urlpatterns = [
    path("rules/", views.rules, name="list"),
    path("rules/new/", views.new, name="new"),
    path("rules/preview/", views.try_out, name="preview"),
    path("rules/<int:pk>/", views.edit, name="edit"),
    path("rules/<int:pk>/delete/", views.delete, name="delete"),
]

"""Addresses of the loops pages."""

from __future__ import annotations

from django.urls import path

from consulops.loops import views

app_name = "loops"
urlpatterns = [path("system/", views.system, name="system")]

"""Addresses of the pages of silences."""

from __future__ import annotations

from django.urls import path

from consulops.silences.views import form, pages

app_name = "silences"
urlpatterns = [
    path("silences/", pages.silences, name="list"),
    path("silences/new/", form.new, name="new"),
    path("silences/preview/", form.try_out, name="preview"),
    path("silences/alert/<int:pk>/", pages.from_alert, name="from_alert"),
    path("silences/<int:pk>/", form.edit, name="edit"),
    path("silences/<int:pk>/expire/", pages.expire, name="expire"),
    path("silences/<int:pk>/extend/", pages.extend, name="extend"),
]

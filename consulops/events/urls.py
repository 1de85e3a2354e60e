"""Addresses of the pages of events."""

from __future__ import annotations

from django.urls import path

from consulops.events import handler_views, views

app_name = "events"
urlpatterns = [
    path("events/", views.events, name="list"),
    path("events/fire/", views.fire, name="fire"),
    path("events/<int:pk>/", views.event, name="detail"),
    path("events/handlers/", handler_views.handlers, name="handlers"),
    path("events/handlers/new/", handler_views.new, name="handler_new"),
    path("events/handlers/<int:pk>/", handler_views.edit, name="handler_edit"),
    path("events/handlers/<int:pk>/delete/", handler_views.delete, name="handler_delete"),
    path("events/handlers/<int:pk>/test/", handler_views.test, name="handler_test"),
]

"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "consulops.live"
    default_auto_field = "django.db.models.BigAutoField"

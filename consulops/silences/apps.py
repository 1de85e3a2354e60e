"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class SilencesConfig(AppConfig):
    name = "consulops.silences"
    default_auto_field = "django.db.models.BigAutoField"

"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "consulops.core"
    default_auto_field = "django.db.models.BigAutoField"

"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class WatchdogConfig(AppConfig):
    name = "consulops.watchdog"
    default_auto_field = "django.db.models.BigAutoField"

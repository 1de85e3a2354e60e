"""Registers the app, and finds the loops of all apps."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class LoopsConfig(AppConfig):
    name = "consulops.loops"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Imports every app's `loops.py`, which registers its loops and schedules."""
        from consulops.loops import receivers

        receivers.connect()
        autodiscover_modules("loops")

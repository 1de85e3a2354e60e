"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class NotifiersConfig(AppConfig):
    name = "consulops.notifiers"
    default_auto_field = "django.db.models.BigAutoField"

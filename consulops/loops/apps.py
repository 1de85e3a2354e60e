"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class LoopsConfig(AppConfig):
    name = "consulops.loops"
    default_auto_field = "django.db.models.BigAutoField"

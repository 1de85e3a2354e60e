"""Registers the app."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "consulops.accounts"
    default_auto_field = "django.db.models.BigAutoField"

"""Registers the app and its system checks."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "consulops.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing it registers the checks.
        from consulops.accounts import checks  # noqa: F401

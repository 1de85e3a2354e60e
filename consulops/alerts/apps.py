"""Registers the app, and its part in recording a change of a check."""

from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "consulops.alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Joins the transaction that records transitions."""
        from consulops.alerts.services import on_transitions
        from consulops.health.signals import transitions_recorded

        transitions_recorded.connect(on_transitions, dispatch_uid="alerts")

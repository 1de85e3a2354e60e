"""Registers the app, and its part in recording a change of a check."""

from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "consulops.alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Joins the transactions that record transitions and that change silences."""
        from consulops.alerts.lifecycle import look_again, on_transitions
        from consulops.alerts.table import asks_for_service_meta
        from consulops.health.instances import wanted_by
        from consulops.health.signals import transitions_recorded
        from consulops.silences.signals import silences_changed

        transitions_recorded.connect(on_transitions, dispatch_uid="alerts")
        silences_changed.connect(look_again, dispatch_uid="alerts")
        wanted_by(asks_for_service_meta)

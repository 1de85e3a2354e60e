"""Registers the app, and its part in recording a change of a check."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_save


class AlertsConfig(AppConfig):
    name = "consulops.alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Joins the transactions that change what decisions about alerts rest on."""
        from consulops.alerts.lifecycle import (
            look_again,
            on_metas,
            on_notifier,
            on_transitions,
        )
        from consulops.alerts.table import asks_for_service_meta
        from consulops.health.instances import wanted_by
        from consulops.health.signals import metas_changed, transitions_recorded
        from consulops.notifiers.models import Notifier
        from consulops.silences.signals import silences_changed

        transitions_recorded.connect(on_transitions, dispatch_uid="alerts")
        silences_changed.connect(look_again, dispatch_uid="alerts")
        metas_changed.connect(on_metas, dispatch_uid="alerts")
        post_save.connect(on_notifier, sender=Notifier, dispatch_uid="alerts")
        wanted_by(asks_for_service_meta)

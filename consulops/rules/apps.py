"""Registers the app, and its part in recording a change of a check."""

from __future__ import annotations

from django.apps import AppConfig


class RulesConfig(AppConfig):
    name = "consulops.rules"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Joins the transaction that records transitions; asks for meta where a rule needs it."""
        from consulops.health.instances import wanted_by
        from consulops.health.signals import transitions_recorded
        from consulops.rules.evaluation import on_transitions
        from consulops.rules.models import ServiceRule

        transitions_recorded.connect(on_transitions, dispatch_uid="rules")
        with_meta = ServiceRule.objects.filter(enabled=True, match__has_key="service_meta")
        wanted_by(with_meta.exists)

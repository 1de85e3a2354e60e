"""Doors from django-q2 to the services."""

from __future__ import annotations

from django.utils import timezone

from consulops.silences import services


def prune() -> int:
    """Once a night: forgets silences that ended beyond their retention."""
    return services.prune(timezone.now())

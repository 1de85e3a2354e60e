"""Doors from django-q2 to the services."""

from __future__ import annotations

from django.utils import timezone

from consulops.events import services


def prune() -> dict[str, int]:
    """Once a night: forgets events beyond their retention."""
    return services.prune(timezone.now())

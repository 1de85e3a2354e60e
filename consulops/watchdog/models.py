"""How ConsulOps watches itself and what it watches with."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from consulops.core.crypto import EncryptedTextField


def validate_url(value: str) -> None:
    """Takes http and https, also of hosts inside a company. Raises ValidationError."""
    try:
        parts = urlsplit(value)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in value
    except ValueError:
        is_right = False
    if not is_right:
        raise ValidationError("Enter an address that begins with https:// or http://.")


class Watchdog(models.Model):
    """Which of our own troubles are alerts, and whom we tell that all is well; one row."""

    # How long a cluster may not answer, or a watcher be behind, before that is an alert.
    # A watcher gives a sign of life every 12 s.
    unreachable_after_s = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(15)]
    )
    # How long a notifier's oldest message may wait before its delivery counts as failing.
    delivery_after_s = models.PositiveIntegerField(default=60, validators=[MinValueValidator(10)])
    # The dead man's switch: pinged while all is well. Whoever knows it can ping it: a secret.
    heartbeat_url = EncryptedTextField(blank=True, default="", validators=[validate_url])
    heartbeat_set_at = models.DateTimeField(null=True, editable=False)
    heartbeat_every_s = models.PositiveIntegerField(default=60, validators=[MinValueValidator(5)])
    # Whether the address + "/fail" is told what is wrong, as Healthchecks takes it.
    heartbeat_tells_failure = models.BooleanField(default=False)
    heartbeat_at = models.DateTimeField(null=True, editable=False)
    heartbeat_error = models.TextField(blank=True, default="", editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return "watchdog"

    @classmethod
    def load(cls) -> Self:
        """The settings; the defaults while nobody has changed any."""
        return cls.objects.first() or cls()

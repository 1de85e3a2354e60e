"""The configured destinations of messages."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from consulops.core.crypto import EncryptedJSONField


class NotifierQuerySet(models.QuerySet["Notifier"]):
    """What pages ask about notifiers."""

    def route_counts(self) -> dict[int, int]:
        """How many routes tell each, by the notifier's key."""
        return dict(self.order_by().values_list("pk").annotate(models.Count("routes")))

    def worst_first(self) -> NotifierQuerySet:
        """Those with a permanent error, then those that are tried again, then the others."""
        return self.alias(has_error=~models.Q(error="")).order_by(
            "-error_is_permanent", "-has_error", "name"
        )


class Notifier(models.Model):
    """A destination: its kind, its settings (secrets apart and encrypted), and how it fares."""

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=30)
    config = models.JSONField(default=dict)
    secrets = EncryptedJSONField(default=dict)
    # When a secret was last entered or removed.
    secrets_at = models.DateTimeField(null=True)
    # What people word themselves; empty: the kind's own words.
    subject_template = models.TextField(blank=True, default="")
    body_template = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    timeout_s = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(120)]
    )
    concurrency = models.PositiveSmallIntegerField(
        default=8, validators=[MinValueValidator(1), MaxValueValidator(64)]
    )
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")
    error_at = models.DateTimeField(null=True)
    error_is_permanent = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = NotifierQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

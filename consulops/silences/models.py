"""Who asked for quiet about what, until when, and why."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from consulops.silences.querysets import SilenceQuerySet


class Origin(models.TextChoices):
    """Where a silence comes from."""

    PAGE = "page", "A person"
    FILE = "file", "apply"
    CONSUL_ALERTS = "consul-alerts", "consul-alerts' blacklist"


class Silence(models.Model):
    """Matchers, an author, a comment and an end: nobody is told of what it means while it holds."""

    # As health/matching.py compiles it.
    match = models.JSONField(default=dict)
    comment = models.TextField(max_length=2000)
    starts_at = models.DateTimeField(default=timezone.now)
    # Null: without end, as a line of consul-alerts' blacklist.
    ends_at = models.DateTimeField(null=True, blank=True)
    # Times of the week as core/windows.py reads them; empty: all the time from start to end.
    windows = models.JSONField(default=list, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    author_name = models.CharField(max_length=150)
    origin = models.CharField(max_length=15, choices=Origin.choices, default=Origin.PAGE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SilenceQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=models.F("starts_at")),
                name="silence_ends_after_it_starts",
            ),
        )

    def __str__(self) -> str:
        return f"silence #{self.pk}"

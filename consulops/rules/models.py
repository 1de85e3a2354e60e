"""Rules about services as a whole: how many of their instances must pass."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from consulops.core.status import FAILING


class ServiceRule(models.Model):
    """Fewer than so many, or such a part, of the instances of a service pass: that is an alert."""

    name = models.CharField(max_length=60, unique=True)
    enabled = models.BooleanField(default=True)
    # As health/matching.py compiles it: which instances are counted, each service on its own.
    match = models.JSONField(default=dict, blank=True)
    # One of these two: a number of instances, or a percentage of them.
    least_passing = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    least_percent = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    # Whether an instance with a warning counts as one that passes.
    warning_passes = models.BooleanField(default=True)
    status = models.CharField(
        max_length=12,
        choices=[(status.value, status.label) for status in FAILING],
        default=FAILING[0].value,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(least_passing__isnull=True)
                ^ models.Q(least_percent__isnull=True),
                name="rule_has_one_measure",
            ),
        )

    def __str__(self) -> str:
        return self.name

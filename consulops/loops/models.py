"""Which worker runs which loop, and which supervisors are alive."""

from __future__ import annotations

from django.db import models


class Lease(models.Model):
    """The right to run one loop. `epoch` grows with every new owner, so an old one can be told."""

    key = models.CharField(max_length=120, primary_key=True)
    owner = models.CharField(max_length=120, blank=True, default="")
    epoch = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    restarts = models.IntegerField(default=0)
    error = models.TextField(blank=True, default="")
    error_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key


class Supervisor(models.Model):
    """A supervisor's sign of life."""

    owner = models.CharField(max_length=120, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    loops = models.IntegerField(default=0)
    resident_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("owner",)

    def __str__(self) -> str:
        return self.owner

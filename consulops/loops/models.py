"""Which worker runs which loop, and which processes are alive."""

from __future__ import annotations

from datetime import timedelta
from typing import Self, TypeVar

from django.db import models
from django.db.models.functions import Now


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


M = TypeVar("M", bound=models.Model)


class SignsOfLife(models.QuerySet[M]):
    """By the age of the last beat, on the server's clock."""

    def alive(self) -> Self:
        return self.filter(beat_at__gt=Now() - timedelta(seconds=15))

    def dead(self) -> Self:
        return self.filter(beat_at__lt=Now() - timedelta(minutes=1))


class Supervisor(models.Model):
    """A supervisor's sign of life."""

    owner = models.CharField(max_length=120, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    loops = models.IntegerField(default=0)
    resident_bytes = models.BigIntegerField(default=0)

    objects = SignsOfLife.as_manager()

    class Meta:
        ordering = ("owner",)

    def __str__(self) -> str:
        return self.owner


class Worker(models.Model):
    """The sign of life of a main process and its children: `process` is web, watch or ops."""

    process = models.CharField(max_length=20)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    children = models.IntegerField(default=0)
    resident_bytes = models.BigIntegerField(default=0)

    objects = SignsOfLife.as_manager()

    class Meta:
        ordering = ("process", "host", "pid")
        constraints = (models.UniqueConstraint("host", "pid", name="one_worker"),)

    def __str__(self) -> str:
        return f"{self.process} {self.host}:{self.pid}"

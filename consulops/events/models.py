"""Consul's user events, what handles them, and what became of each."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from consulops.clusters.models import Cluster
from consulops.core.crypto import EncryptedJSONField


class Event(models.Model):
    """One user event of a cluster; known by its id, so that it is taken once."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="events")
    event_id = models.CharField(max_length=64)
    name = models.TextField()
    payload = models.BinaryField(default=b"")
    node_filter = models.TextField(blank=True, default="")
    service_filter = models.TextField(blank=True, default="")
    tag_filter = models.TextField(blank=True, default="")
    ltime = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()
    # False when it was there already when we first looked at the cluster: no handler runs for it.
    fresh = models.BooleanField(default=True)

    class Meta:
        constraints = (models.UniqueConstraint("cluster", "event_id", name="one_event"),)
        indexes = (
            models.Index(fields=("-seen_at", "-id"), name="event_newest"),
            models.Index(fields=("cluster", "-seen_at", "-id"), name="event_of_cluster"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"


class HandlerKind(models.TextChoices):
    """What a handler does with an event."""

    WEBHOOK = "webhook", "Webhook"
    EXECUTABLE = "executable", "Executable"


class EventHandler(models.Model):
    """Runs for each event whose name matches: a request, or a program of the allowed folder."""

    name = models.CharField(max_length=60, unique=True)
    enabled = models.BooleanField(default=True)
    # RE2, whole match.
    event_pattern = models.CharField(max_length=1000, default=".*")
    cluster_pattern = models.CharField(max_length=1000, default=".*")
    kind = models.CharField(max_length=12, choices=HandlerKind.choices)
    # Webhook: url, headers. Executable: its name in the folder, and arguments.
    config = models.JSONField(default=dict)
    secrets = EncryptedJSONField(default=dict)
    timeout_s = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(3600)]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RunState(models.TextChoices):
    """How far a handler has come with an event."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed out", "Timed out"
    # Its worker died in the midst; it is not run again, since it may have done its work.
    LOST = "lost", "Lost"


class Run(models.Model):
    """One handler's work on one event; made with the event, so that it happens once."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="runs")
    handler = models.ForeignKey(
        EventHandler, null=True, on_delete=models.SET_NULL, related_name="runs"
    )
    handler_name = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # The exit code, or the HTTP answer in one line.
    result = models.TextField(blank=True, default="")
    output = models.TextField(blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint("event", "handler", name="one_run"),)
        indexes = (
            models.Index(
                fields=("id",), condition=Q(state__in=("queued", "running")), name="run_waiting"
            ),
        )

    def __str__(self) -> str:
        return f"{self.handler_name} for {self.event_id}"

"""Consul's user events, what handles them, and what became of each."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Count, Exists, FilteredRelation, OuterRef, Prefetch, Q

from consulops.clusters.models import Cluster
from consulops.core.crypto import EncryptedJSONField
from consulops.core.times import in_words
from consulops.events import payloads

# For so long a page says that events may be missing.
GAP_SHOWN = timedelta(days=1)

_WRONG = ("failed", "timed out", "lost")
# How a handler fares is told by its runs since then.
COUNTED = timedelta(days=1)


class FeedQuerySet(models.QuerySet["Feed"]):
    """Feeds, with what pages ask of them."""

    def troubled(self, cluster: str, now: datetime) -> FeedQuerySet:
        """Those of enabled clusters that cannot be read, or that missed events of late."""
        found = self.filter(cluster__enabled=True).select_related("cluster")
        if cluster:
            found = found.filter(cluster__name=cluster)
        recent = Q(gap_at__gt=now - GAP_SHOWN)
        return found.filter(recent | ~Q(error="")).order_by("cluster__name")


class Feed(models.Model):
    """How far we have come with a cluster's events."""

    cluster = models.OneToOneField(
        Cluster, on_delete=models.CASCADE, primary_key=True, related_name="event_feed"
    )
    # Whose list we have looked at, empty before the first look. What is in it then happened before
    # anybody asked us; and another address may be another Consul, with a past of its own.
    address = models.TextField(blank=True, default="")
    # When the list was full of events that we did not know: there may have been more.
    gap_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")

    objects = FeedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"events of {self.cluster_id}"


class EventQuerySet(models.QuerySet["Event"]):
    """Events, with the questions that pages ask."""

    def asked_for(self, cluster: str, q: str) -> EventQuerySet:
        """Those of this cluster whose name holds every word; what is empty filters nothing."""
        found = self.filter(cluster__name=cluster) if cluster else self.all()
        for word in q.split():
            found = found.filter(name__icontains=word)
        return found

    def gone_wrong(self) -> EventQuerySet:
        """Those for which a handler did not do its work, as far as we know."""
        return self.filter(Exists(Run.objects.filter(event=OuterRef("pk"), state__in=_WRONG)))

    def with_names(self) -> EventQuerySet:
        """With everything that a row names, and without the runs' outputs."""
        runs = Run.objects.defer("output").order_by("pk")
        return self.select_related("cluster").prefetch_related(Prefetch("runs", runs))


class Event(models.Model):
    """One user event of a cluster; known by its id, so that it is taken once."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="events")
    event_id = models.CharField(max_length=64)
    name = models.TextField()
    payload = models.BinaryField(default=b"")
    node_filter = models.TextField(blank=True, default="")
    service_filter = models.TextField(blank=True, default="")
    tag_filter = models.TextField(blank=True, default="")
    version = models.BigIntegerField(default=1)
    # Serf's Lamport clock: orders the events of one cluster.
    ltime = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()
    # False when it was there already when we first looked at the cluster: no handler runs for it.
    fresh = models.BooleanField(default=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint("cluster", "event_id", name="one_event"),)
        indexes = (
            models.Index(fields=("-seen_at", "-id"), name="event_newest"),
            models.Index(fields=("cluster", "-seen_at", "-id"), name="event_of_cluster"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"

    @property
    def bytes(self) -> bytes:
        """The payload; the database hands it out as a memoryview."""
        return bytes(self.payload)

    @property
    def excerpt(self) -> str:
        """The beginning of the payload on one line."""
        return payloads.excerpt(self.bytes)

    @property
    def text(self) -> str | None:
        """The payload if it is text."""
        return payloads.text_of(self.bytes)

    @property
    def dump(self) -> str:
        """The payload byte by byte."""
        return payloads.dump(self.bytes)

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The filters that are set, as name and expression."""
        known = {"node": self.node_filter, "service": self.service_filter, "tag": self.tag_filter}
        return [(name, one) for name, one in known.items() if one]


class HandlerKind(models.TextChoices):
    """What a handler does with an event."""

    WEBHOOK = "webhook", "Webhook"
    EXECUTABLE = "executable", "Program"


class EventHandlerQuerySet(models.QuerySet["EventHandler"]):
    """Handlers, with how they fare."""

    def with_counts(self, now: datetime) -> EventHandlerQuerySet:
        """By name, each with how many of its last day's runs wait, went well and went wrong."""
        recent = FilteredRelation("runs", condition=Q(runs__created_at__gt=now - COUNTED))
        return (
            self.annotate(recent=recent)
            .annotate(
                waiting=Count("recent", filter=Q(recent__state__in=("queued", "running"))),
                done=Count("recent", filter=Q(recent__state="done")),
                wrong=Count("recent", filter=Q(recent__state__in=_WRONG)),
            )
            .order_by("name")
        )


class EventHandler(models.Model):
    """Runs for each event whose name matches: a request, or a program of the allowed folder."""

    name = models.CharField(max_length=60, unique=True)
    enabled = models.BooleanField(default=True)
    # RE2, whole match.
    event_pattern = models.CharField(max_length=1000, default=".*")
    cluster_pattern = models.CharField(max_length=1000, default=".*")
    kind = models.CharField(max_length=12, choices=HandlerKind.choices)
    # What the kind declares, see kinds.py.
    config = models.JSONField(default=dict)
    secrets = EncryptedJSONField(default=dict)
    # When a secret was last entered or removed.
    secrets_at = models.DateTimeField(null=True)
    timeout_s = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(3600)]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = EventHandlerQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def target(self) -> str:
        """What it runs, in short: of an address the host only, the rest may be a secret."""
        if self.kind == HandlerKind.EXECUTABLE:
            return str(self.config.get("program", ""))
        return urlsplit(str(self.config.get("url", ""))).netloc


class RunState(models.TextChoices):
    """How far a handler has come with an event."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed out", "Timed out"
    # Its worker ended in the midst; it is not run again, since it may have done its work.
    LOST = "lost", "Lost"


class Run(models.Model):
    """One handler's work on one event; made with the event, so that it happens once."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="runs")
    handler = models.ForeignKey(
        EventHandler, null=True, on_delete=models.SET_NULL, related_name="runs", db_index=False
    )
    handler_name = models.CharField(max_length=60)
    kind = models.CharField(max_length=12, choices=HandlerKind.choices)
    # The same in each attempt of a webhook.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    # Who runs it: only the holder of this claim may say how it ended.
    claim = models.UUIDField(null=True)
    # The last sign of life of who runs it, by the database's clock.
    alive_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # The exit code, or the HTTP answer in one line.
    result = models.TextField(blank=True, default="")
    output = models.TextField(blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint("event", "handler", name="one_run"),)
        indexes = (
            models.Index(
                fields=("handler", "id"),
                condition=Q(state__in=("queued", "running")),
                name="run_waiting",
            ),
            models.Index(fields=("handler", "-created_at"), name="run_of_handler"),
        )

    def __str__(self) -> str:
        return f"{self.handler_name} for {self.event_id}"

    @property
    def is_again(self) -> bool:
        """Whether it waits for another attempt."""
        return self.state == RunState.QUEUED and self.attempts > 0

    @property
    def look(self) -> str:
        """The state of the one table of states that shows how it went."""
        return "warning" if self.is_again else _LOOKS[RunState(self.state)]

    @property
    def word(self) -> str:
        """The state in a word."""
        return "Trying again" if self.is_again else self.get_state_display()

    @property
    def took(self) -> str:
        """How long it took, in words; empty as long as it is not over."""
        if self.started_at is None or self.finished_at is None:
            return ""
        seconds = (self.finished_at - self.started_at).total_seconds()
        return in_words(seconds) if seconds >= 10 else f"{round(seconds * 1000)} ms"


_LOOKS = {
    RunState.QUEUED: "unknown",
    RunState.RUNNING: "maintenance",
    RunState.DONE: "passing",
    RunState.FAILED: "critical",
    RunState.TIMED_OUT: "critical",
    RunState.LOST: "warning",
}

"""What is wrong, whom to tell, what was decided, and every message that was sent about it."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from consulops.alerts.querysets import AlertQuerySet
from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.health.models import Check
from consulops.notifiers.models import Notifier


class Route(models.Model):
    """Matchers, how long to wait, whom to tell and how often to remind. Tried by position."""

    name = models.CharField(max_length=60, unique=True)
    position = models.IntegerField(default=0)
    enabled = models.BooleanField(default=True)
    # As health/matching.py compiles it.
    match = models.JSONField(default=dict)
    wait_s = models.PositiveIntegerField(default=0)
    remind_every_s = models.PositiveIntegerField(default=0)
    group_by = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    # How long the first alert of a group waits for others, and a group until its next message.
    group_wait_s = models.PositiveIntegerField(default=0)
    group_interval_s = models.PositiveIntegerField(default=0)
    # Times of the week as core/windows.py reads them; empty: always. Outside it holds its peace.
    active_hours = models.JSONField(default=list, blank=True)
    # Tells these too when nobody has acknowledged for so long after the first message; 0: never.
    escalate_after_s = models.PositiveIntegerField(default=0)
    escalate_to = models.ManyToManyField(Notifier, related_name="escalations", blank=True)
    notify_resolved = models.BooleanField(default=True)
    # "continue" in `apply`: also try the routes after this one.
    continues = models.BooleanField(default=False)
    notifiers = models.ManyToManyField(Notifier, related_name="routes", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """Something that is wrong now, or was: from a check's first failure until it recovers."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="alerts")
    check_ref = models.ForeignKey(
        Check, on_delete=models.CASCADE, related_name="alerts", db_column="check_id"
    )
    # The check's present status while open; "passing" or "gone" once resolved.
    status = models.CharField(max_length=12, choices=Status.choices)
    previous = models.CharField(max_length=12, choices=Status.choices, blank=True)
    rank = models.SmallIntegerField()
    # Since when the check has its present status.
    since = models.DateTimeField()
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    comment = models.TextField(blank=True, default="")
    # Since when its check flaps, and until when it must rest to count as stable; null: it does not.
    flapping_since = models.DateTimeField(null=True)
    stable_at = models.DateTimeField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "check_ref",
                condition=Q(resolved_at__isnull=True),
                name="one_open_alert",
            ),
        )
        indexes = (
            models.Index(
                fields=("rank", "-opened_at", "-id"),
                condition=Q(resolved_at__isnull=True),
                name="alert_open",
            ),
            models.Index(fields=("-opened_at", "-id"), name="alert_newest"),
            models.Index(
                fields=("stable_at",),
                condition=Q(stable_at__isnull=False),
                name="alert_flapping",
            ),
        )

    def __str__(self) -> str:
        return f"alert {self.pk}"

    @property
    def label(self) -> str:
        """What people call its check; not every check has a name besides its id."""
        return self.check_ref.name or self.check_ref.check_id

    @property
    def is_open(self) -> bool:
        """Whether it is not over, be it acknowledged or not."""
        return self.resolved_at is None

    @property
    def lasted(self) -> timedelta | None:
        """How long it was open; None while it is."""
        return self.resolved_at - self.opened_at if self.resolved_at else None


class Comment(models.Model):
    """What a person wrote about an alert, for those who look at it later."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="comments")
    at = models.DateTimeField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    author_name = models.CharField(max_length=150)
    text = models.TextField(max_length=4000)

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"comment {self.pk}"


class Noise(models.Model):
    """What keeps many failures from becoming many messages, for all routes; one row."""

    # A node that is down speaks for its services, an unreachable cluster for all that is in it.
    inhibit_by_node = models.BooleanField(default=True)
    inhibit_by_cluster = models.BooleanField(default=True)
    # A check flaps when it changes so often within the window; 0: flapping is not looked for.
    flap_changes = models.PositiveSmallIntegerField(default=6)
    flap_window_s = models.PositiveIntegerField(default=600)
    # How long it must rest to be called stable again.
    flap_rest_s = models.PositiveIntegerField(default=300)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return "noise"


class Notice(models.Model):
    """What one route has decided about one alert, and what it last said: the pipeline's memory."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notices")
    route = models.ForeignKey(Route, null=True, on_delete=models.SET_NULL, related_name="notices")
    route_name = models.CharField(max_length=60)
    # The status that was last told, empty while nothing was.
    said = models.CharField(max_length=12, blank=True, default="")
    said_at = models.DateTimeField(null=True)
    # When a failure was first told, and when that was told to those who come next.
    told_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    # When the pipeline must look again: end of a wait, of a group's wait, or a reminder.
    due_at = models.DateTimeField(null=True)
    # The group whose message it shares, and since when it waits for others of that group.
    group_key = models.CharField(max_length=64, blank=True, default="")
    group_since = models.DateTimeField(null=True)
    # Each stage's verdict of the last look: [{"stage": …, "outcome": …, "reason": …}, …]
    verdicts = models.JSONField(default=list)
    decided_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint("alert", "route", name="one_notice"),)
        indexes = (
            models.Index(fields=("due_at",), condition=Q(due_at__isnull=False), name="notice_due"),
            models.Index(
                fields=("route", "group_key"),
                condition=~Q(group_key=""),
                name="notice_group",
            ),
        )

    def __str__(self) -> str:
        return f"{self.route_name} about alert {self.alert_id}"


class Reason(models.TextChoices):
    """Why a message was made."""

    OPENED = "opened", "Opened"
    CHANGED = "changed", "Changed"
    RESOLVED = "resolved", "Resolved"
    REMINDER = "reminder", "Reminder"
    FLAPPING = "flapping", "Flapping"
    ESCALATED = "escalated", "Escalated"
    TEST = "test", "Test"


class DeliveryState(models.TextChoices):
    """How far a message has come."""

    QUEUED = "queued", "Queued"
    RETRYING = "retrying", "Retrying"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


WAITING = (DeliveryState.QUEUED, DeliveryState.RETRYING)


class Delivery(models.Model):
    """One message to one notifier. Stamped after the send: sent at least once, never forgotten."""

    # Goes with every attempt, so that a receiver can tell a retry from news.
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    notifier = models.ForeignKey(
        Notifier, null=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    notifier_name = models.CharField(max_length=60)
    route_name = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=10, choices=Reason.choices)
    # Messages of one lane are sent one after another: a recovery never overtakes its failure.
    lane = models.CharField(max_length=120)
    alerts = models.ManyToManyField(Alert, related_name="deliveries")
    message = models.JSONField()
    state = models.CharField(
        max_length=10, choices=DeliveryState.choices, default=DeliveryState.QUEUED
    )
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempt_count = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        indexes = (
            # In the order in which they are sent: the first of thousands are found at once. The sum
            # keeps PostgreSQL from walking the primary key, past all that was ever sent.
            models.Index(
                F("notifier"),
                F("id") + 0,
                condition=Q(state__in=("queued", "retrying")),
                name="delivery_waiting",
            ),
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(state__in=("queued", "retrying")),
                name="delivery_next",
            ),
            models.Index(
                fields=("lane", "id"),
                condition=Q(state__in=("queued", "retrying")),
                name="delivery_lane",
            ),
            models.Index(
                fields=("lane", "-id"), condition=Q(state="sent"), name="delivery_lane_sent"
            ),
            models.Index(fields=("-created_at", "-id"), name="delivery_newest"),
            models.Index(fields=("state", "-created_at", "-id"), name="delivery_by_state"),
        )

    def __str__(self) -> str:
        return f"{self.reason} to {self.notifier_name}"


class Attempt(models.Model):
    """One try to send a delivery, and the real answer."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    duration_ms = models.IntegerField()
    ok = models.BooleanField()
    answer = models.TextField(blank=True, default="")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"attempt {self.pk}"

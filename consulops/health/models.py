"""Health checks as they are now, and every change of their status for as long as we keep it."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import Q

from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.health.hours import COUNTED, Share
from consulops.health.querysets import CheckQuerySet, TransitionQuerySet


class Node(models.Model):
    """A node of a cluster's catalog, with or without checks."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="nodes")
    name = models.TextField()
    address = models.TextField(blank=True, default="")
    meta = models.JSONField(default=dict)

    class Meta:
        constraints = (models.UniqueConstraint("cluster", "name", name="one_node"),)

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """A service name of a cluster's catalog, with or without checks."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="services")
    name = models.TextField()
    tags = ArrayField(models.TextField(), default=list)

    class Meta:
        constraints = (models.UniqueConstraint("cluster", "name", name="one_service"),)

    def __str__(self) -> str:
        return self.name


class Source(models.TextChoices):
    """Who says how a check is."""

    CONSUL = "consul", "Consul"
    RULE = "rule", "A service rule"
    CONSULOPS = "consulops", "ConsulOps"


class Instance(models.Model):
    """One instance of a service with its meta; kept only while some matcher asks for meta."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="instances")
    node = models.TextField()
    service_id = models.TextField()
    service = models.TextField()
    meta = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint("cluster", "node", "service_id", name="one_instance"),
        )

    def __str__(self) -> str:
        return f"{self.node} {self.service_id}"


class ConsulChecks(models.Manager["Check"]):
    """The checks that Consul has, without those that we made ourselves."""

    def get_queryset(self) -> models.QuerySet[Check]:
        return super().get_queryset().filter(source=Source.CONSUL)


class Check(models.Model):
    """The current state of one health check, or of something that we watch like one."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="checks")
    node = models.TextField()
    check_id = models.TextField()
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.CONSUL)
    name = models.TextField(blank=True, default="")
    service_id = models.TextField(blank=True, default="")
    service = models.TextField(blank=True, default="")
    tags = ArrayField(models.TextField(), default=list)
    status = models.CharField(max_length=12, choices=Status.choices)
    # Status.rank, kept beside it so that "worst first" is an index scan.
    rank = models.SmallIntegerField()
    since = models.DateTimeField()
    output = models.TextField(blank=True, default="")
    notes = models.TextField(blank=True, default="")
    modify_index = models.BigIntegerField(default=0)
    first_seen_at = models.DateTimeField()

    objects = ConsulChecks.from_queryset(CheckQuerySet)()
    every = CheckQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint("cluster", "node", "check_id", name="one_check"),)
        indexes = (
            models.Index(fields=("rank", "-since", "id"), name="check_worst_first"),
            models.Index(fields=("cluster", "service"), name="check_service"),
            models.Index(
                fields=("cluster",),
                condition=Q(status__in=("critical", "warning")),
                name="check_failing",
            ),
        )

    def __str__(self) -> str:
        return f"{self.node} {self.check_id}"


class Transition(models.Model):
    """One change of a check's status. Append-only: the history, and what alerts are made from."""

    # The indexes below begin with check and cluster: they need none of their own.
    check_ref = models.ForeignKey(
        Check,
        on_delete=models.CASCADE,
        related_name="transitions",
        db_column="check_id",
        db_index=False,
    )
    cluster = models.ForeignKey(
        Cluster, on_delete=models.CASCADE, related_name="transitions", db_index=False
    )
    at = models.DateTimeField()
    previous = models.CharField(max_length=12, choices=Status.choices, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices)
    output = models.TextField(blank=True, default="")
    modify_index = models.BigIntegerField(default=0)
    # False when it was found by comparing with the database after nobody had watched.
    watched = models.BooleanField(default=True)

    objects = TransitionQuerySet.as_manager()

    class Meta:
        # Each holds what the history filters by (see history.py): a million changes are looked
        # through without reading the rows themselves.
        indexes = (
            models.Index(
                fields=("check_ref", "-at", "-id"),
                include=("status", "previous"),
                name="transition_of_check",
            ),
            models.Index(
                fields=("cluster", "-at", "-id"),
                include=("check_ref", "status", "previous"),
                name="transition_of_cluster",
            ),
            models.Index(
                fields=("status", "-at", "-id"),
                include=("check_ref", "cluster", "previous"),
                name="transition_to_status",
            ),
            models.Index(
                fields=("-at", "-id"),
                include=("check_ref", "cluster", "status", "previous"),
                name="transition_newest",
            ),
        )

    def __str__(self) -> str:
        return f"{self.previous} to {self.status}"


class CheckHourManager(models.Manager["CheckHour"]):
    """Adds time to hours."""

    def add(self, shares: Sequence[tuple[int, Share]]) -> None:
        """Adds these shares (check's id, share of an hour) to what their hours already have."""
        if not shares:
            return
        columns: list[list[object]] = [[pk for pk, _ in shares], [one.hour for _, one in shares]]
        columns += [
            [one.seconds if one.status == status else 0.0 for _, one in shares]
            for status in COUNTED
        ]
        with connection.cursor() as cursor:
            cursor.execute(_ADD_HOURS, columns)


_ADD_HOURS = """
INSERT INTO health_checkhour (check_id, hour, critical_s, warning_s, maintenance_s, unknown_s)
SELECT * FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::float8[], %s::float8[], %s::float8[], %s::float8[])
ON CONFLICT (check_id, hour) DO UPDATE SET
    critical_s = health_checkhour.critical_s + EXCLUDED.critical_s,
    warning_s = health_checkhour.warning_s + EXCLUDED.warning_s,
    maintenance_s = health_checkhour.maintenance_s + EXCLUDED.maintenance_s,
    unknown_s = health_checkhour.unknown_s + EXCLUDED.unknown_s
"""


class CheckHour(models.Model):
    """How many seconds of one hour a check was not passing; an hour that it passed has no row.

    A state's seconds are added when it ends; the state that a check is in now is not yet here.
    """

    check_ref = models.ForeignKey(
        Check, on_delete=models.CASCADE, related_name="hours", db_column="check_id"
    )
    hour = models.DateTimeField()
    critical_s = models.FloatField(default=0)
    warning_s = models.FloatField(default=0)
    maintenance_s = models.FloatField(default=0)
    unknown_s = models.FloatField(default=0)

    objects = CheckHourManager()

    class Meta:
        constraints = (models.UniqueConstraint("check_ref", "hour", name="one_check_hour"),)
        indexes = (models.Index(fields=("hour",), name="check_hour_age"),)

    def __str__(self) -> str:
        return f"{self.check_ref_id} {self.hour:%Y-%m-%d %H}"

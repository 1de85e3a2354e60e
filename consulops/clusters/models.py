"""The Consul clusters that we talk to, and what we last heard from each."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from consulops.core.crypto import EncryptedTextField


class Colour(models.TextChoices):
    """The stripe under the top bar, so that nobody mistakes production."""

    GREY = "grey", "Grey"
    GREEN = "green", "Green (development)"
    BLUE = "blue", "Blue (test)"
    ORANGE = "orange", "Orange (staging)"
    RED = "red", "Red (production)"


class Cluster(models.Model):
    """One Consul datacenter: where it answers, as whom we ask, and how it is shown."""

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
                "Use letters, digits, dots, dashes and underscores; begin with a letter or digit.",
            )
        ],
    )
    address = models.CharField(max_length=255)
    datacenter = models.CharField(max_length=64, blank=True)
    token = EncryptedTextField(blank=True, default="")
    ca_certificate = models.TextField(blank=True, default="")
    client_certificate = models.TextField(blank=True, default="")
    client_key = EncryptedTextField(blank=True, default="")
    verify_tls = models.BooleanField(default=True)
    colour = models.CharField(max_length=10, choices=Colour.choices, default=Colour.GREY)
    read_only = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class ClusterState(models.Model):
    """What a cluster last told us; written by its loops only, apart from the settings above."""

    cluster = models.OneToOneField(
        Cluster, primary_key=True, on_delete=models.CASCADE, related_name="state"
    )
    # The check watcher's last answer from Consul, also one that said "nothing changed".
    answered_at = models.DateTimeField(null=True)
    # The last time that any check of the cluster changed.
    event_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")
    error_at = models.DateTimeField(null=True)
    # Filled by the probe, every few seconds.
    probed_at = models.DateTimeField(null=True)
    datacenter = models.CharField(max_length=64, blank=True, default="")
    version = models.CharField(max_length=64, blank=True, default="")
    leader = models.CharField(max_length=255, blank=True, default="")
    peers = models.JSONField(default=list)
    failure_tolerance = models.IntegerField(null=True)
    index = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"state of {self.cluster_id}"

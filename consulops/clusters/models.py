"""The Consul clusters that we talk to, and what we last heard from each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, transaction

from consulops.clusters import validation
from consulops.consulapi import Connection
from consulops.core.crypto import EncryptedTextField, WrongKey


class Colour(models.TextChoices):
    """The stripe under the top bar, so that nobody mistakes production."""

    GREY = "grey", "Grey"
    GREEN = "green", "Green (development)"
    BLUE = "blue", "Blue (test)"
    ORANGE = "orange", "Orange (staging)"
    RED = "red", "Red (production)"


# The name under which ConsulOps itself has alerts, about what belongs to no cluster.
OURSELVES = "consulops"


class ClusterManager(models.Manager["Cluster"]):
    """The Consul clusters, without the row that stands for ConsulOps itself."""

    def get_queryset(self) -> models.QuerySet[Cluster]:
        return super().get_queryset().filter(internal=False)


class Cluster(models.Model):
    """One Consul datacenter: where it answers, as whom we ask, and how it is shown."""

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z",
                "Use letters, digits, dots, dashes and underscores; begin with a letter or digit.",
            ),
            RegexValidator(
                rf"\A{OURSELVES}\Z", "This name stands for ConsulOps itself.", inverse_match=True
            ),
        ],
    )
    address = models.CharField(max_length=255, validators=[validation.validate_address])
    # Empty: whichever datacenter the address belongs to.
    datacenter = models.CharField(
        max_length=64, blank=True, validators=[validation.validate_datacenter]
    )
    token = EncryptedTextField(blank=True, default="", validators=[validation.validate_token])
    # When each secret was entered: all that is ever shown of it.
    token_set_at = models.DateTimeField(null=True, editable=False)
    client_key_set_at = models.DateTimeField(null=True, editable=False)
    ca_certificate = models.TextField(
        blank=True, default="", validators=[validation.validate_certificates]
    )
    client_certificate = models.TextField(
        blank=True, default="", validators=[validation.validate_certificates]
    )
    client_key = EncryptedTextField(blank=True, default="", validators=[validation.validate_key])
    verify_tls = models.BooleanField(default=True)
    colour = models.CharField(max_length=10, choices=Colour.choices, default=Colour.GREY)
    # True for the one row that stands for ConsulOps itself, which has alerts and no Consul.
    internal = models.BooleanField(default=False, editable=False)
    read_only = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ClusterManager()
    every = models.Manager["Cluster"]()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def ourselves(cls) -> Cluster:
        """The row that stands for ConsulOps itself, made when it is first needed."""
        row, _ = cls.every.get_or_create(
            name=OURSELVES, defaults={"internal": True, "enabled": False, "address": ""}
        )
        return row

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A cluster never is without its state row, which the loops only ever update."""
        is_new = self._state.adding
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new:
                ClusterState.objects.create(cluster=self)

    def clean(self) -> None:
        """Puts address and datacenter in their one form; the client's key must fit."""
        with suppress(ValidationError):  # said beside the field already
            self.address = validation.normal_address(self.address)
        self.datacenter = self.datacenter.lower()
        try:
            validation.validate_pair(self.client_certificate, self.client_key)
        except WrongKey as error:
            raise ValidationError(
                {"client_key": "The saved key cannot be read any more; enter it again."}
            ) from error

    def connection(self) -> Connection:
        """How to reach it, secrets included. Raises WrongKey when they cannot be read."""
        return Connection(
            name=self.name,
            address=self.address,
            datacenter=self.datacenter,
            token=self.token,
            ca_certificate=self.ca_certificate,
            client_certificate=self.client_certificate,
            client_key=self.client_key,
            verify_tls=self.verify_tls,
        )


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

    def __str__(self) -> str:
        return f"state of {self.cluster_id}"

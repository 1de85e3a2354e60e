"""People, what they may do, and the record of what they did."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from consulops.accounts.readable import Line, lines


class Role(models.TextChoices):
    """What a person may do; each role may also do what the ones before it may."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


_POWER = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


class User(AbstractUser):
    """A person who signs in."""

    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)

    def may(self, role: Role | str) -> bool:
        """Whether this person has at least that role."""
        return self.is_active and _POWER[Role(self.role)] >= _POWER[Role(role)]

    @property
    def is_operator(self) -> bool:
        return self.may(Role.OPERATOR)

    @property
    def is_admin(self) -> bool:
        return self.may(Role.ADMIN)


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Ways to ask the record."""

    def about(self, text: str) -> AuditQuerySet:
        """Entries on objects of this type ("cluster"), or with this text in their name."""
        return self.filter(Q(object_type=text.lower()) | Q(object_name__icontains=text))


class AuditEntry(models.Model):
    """One change that somebody made: who, what, when and from where. Never changed afterwards."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="audit_entries",
    )
    actor_name = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=60, blank=True)
    object_name = models.CharField(max_length=255, blank=True)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("object_type", "object_id"), name="audit_object"),
            models.Index(fields=("actor_name", "-id"), name="audit_actor"),
            models.Index(fields=("action", "-id"), name="audit_action"),
        )

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_name}"

    @property
    def lines(self) -> list[Line]:
        """The detail as people read it."""
        return lines(self.detail)

"""Reads of alerts that pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from consulops.health.models import Check

if TYPE_CHECKING:
    from consulops.alerts.models import Alert  # noqa: F401 - named below, in quotes
    from consulops.health.asked import Asked

_OPEN = Q(resolved_at__isnull=True)
_ACKNOWLEDGED = _OPEN & Q(acknowledged_at__isnull=False)
_UNACKNOWLEDGED = _OPEN & Q(acknowledged_at__isnull=True)
_FLAPPING = _OPEN & Q(stable_at__isnull=False)


def _held_at(stage: str) -> Exists:
    """Whether a route that is used holds an alert back at this stage."""
    notices = apps.get_model("alerts", "Notice")._default_manager
    last = {"verdicts__-1__stage": stage, "verdicts__-1__outcome": "held"}
    return Exists(notices.filter(alert=OuterRef("pk"), route__enabled=True, **last))


class AlertQuerySet(QuerySet["Alert"]):
    """Alerts, with the questions that pages ask of all of them."""

    def open(self) -> AlertQuerySet:
        """Those that are not over, acknowledged or not."""
        return self.filter(_OPEN)

    def unacknowledged(self) -> AlertQuerySet:
        """The open ones that nobody looks after."""
        return self.filter(_UNACKNOWLEDGED)

    def acknowledged(self) -> AlertQuerySet:
        """The open ones that somebody looks after."""
        return self.filter(_ACKNOWLEDGED)

    def silenced(self) -> AlertQuerySet:
        """The open ones of which nobody is told because somebody asked for quiet."""
        return self.filter(_OPEN, _held_at("silence"))

    def flapping(self) -> AlertQuerySet:
        """The open ones whose check comes and goes."""
        return self.filter(_FLAPPING)

    def resolved(self) -> AlertQuerySet:
        """Those that are over."""
        return self.exclude(_OPEN)

    def counts(self) -> dict[str, int]:
        """How many are open, how the open ones are, how many are resolved, and all together."""
        numbers = self.open().aggregate(
            open=Count("pk"),
            unacknowledged=Count("pk", filter=_UNACKNOWLEDGED),
            acknowledged=Count("pk", filter=_ACKNOWLEDGED),
            silenced=Count("pk", filter=_held_at("silence")),
            flapping=Count("pk", filter=_FLAPPING),
        )
        resolved = self.resolved().count()
        return {**numbers, "resolved": resolved, "all": numbers["open"] + resolved}

    def asked_for(self, asked: Asked) -> AlertQuerySet:
        """Those that the filters of a page mean."""
        # The names are looked for once in the checks, of which there are fewer than alerts.
        found = self.filter(check_ref__in=Check.objects.naming(asked.q)) if asked.q else self
        wanted = {
            "cluster__name": asked.cluster,
            "status": asked.status,
            "check_ref__service": asked.service,
            "check_ref__node": asked.node,
        }
        return found.filter(**{name: value for name, value in wanted.items() if value})

    def with_names(self) -> AlertQuerySet:
        """With everything that a row names, and without the check's long texts."""
        return self.select_related("check_ref", "cluster", "acknowledged_by").defer(
            "check_ref__output", "check_ref__notes", "check_ref__tags"
        )

"""Reads of alerts that pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet

from consulops.health.models import Check

if TYPE_CHECKING:
    from consulops.alerts.models import Alert  # noqa: F401 - named below, in quotes
    from consulops.health.asked import Asked

_OPEN = Q(resolved_at__isnull=True)
_ACKNOWLEDGED = _OPEN & Q(acknowledged_at__isnull=False)


class AlertQuerySet(QuerySet["Alert"]):
    """Alerts, with the questions that pages ask of all of them."""

    def open(self) -> AlertQuerySet:
        """Those that are not over, acknowledged or not."""
        return self.filter(_OPEN)

    def acknowledged(self) -> AlertQuerySet:
        """The open ones that somebody looks after."""
        return self.filter(_ACKNOWLEDGED)

    def resolved(self) -> AlertQuerySet:
        """Those that are over."""
        return self.exclude(_OPEN)

    def counts(self) -> dict[str, int]:
        """How many are open, acknowledged, resolved, and all together."""
        return self.aggregate(
            open=Count("pk", filter=_OPEN),
            acknowledged=Count("pk", filter=_ACKNOWLEDGED),
            resolved=Count("pk", filter=~_OPEN),
            all=Count("pk"),
        )

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

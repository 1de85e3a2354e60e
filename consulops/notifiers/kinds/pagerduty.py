"""PagerDuty, through its Events API v2."""

from __future__ import annotations

from typing import ClassVar

from django import forms

from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.incidents import (
    Call,
    IncidentKind,
    SecretKeyField,
    address_fields,
    facts_of,
    one_line,
    severity,
    some_lines,
)

_ADDRESSES = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
_LONGEST_SUMMARY = 1024
# An event may have 512 KB in all.
_LONGEST_OUTPUT = 20_000
_LONGEST_FIELD = 255


class PagerDuty(IncidentKind):
    """Triggers and resolves; what comes again about an open incident is added to it."""

    name = "pagerduty"
    label = "PagerDuty"
    group = "Incidents"
    fields: ClassVar[dict[str, forms.Field]] = {
        "routing_key": SecretKeyField(
            label="Integration key",
            help_text="Of an integration “Events API v2” of the service.",
        ),
        "region": forms.ChoiceField(choices=[("us", "US"), ("eu", "EU")], initial="us"),
        "client": forms.CharField(
            label="Client name",
            required=False,
            initial="ConsulOps",
            max_length=100,
            help_text="What PagerDuty shows as the sender.",
        ),
        "client_url": WebAddressField(
            label="Client address",
            required=False,
            max_length=2000,
            help_text="Where the client's name leads; without one, to the alert.",
        ),
        **address_fields(),
    }
    secret_fields = frozenset({"routing_key"})

    def opening(self, message: Message, alert: AlertFacts) -> list[Call]:
        details = {**facts_of(alert), "output": some_lines(alert.output, _LONGEST_OUTPUT)}
        worded = some_lines(self.body(message, ""), _LONGEST_OUTPUT)
        payload = {
            "summary": one_line(self.subject(message), _LONGEST_SUMMARY),
            "source": one_line(alert.node or alert.cluster, _LONGEST_FIELD) or "ConsulOps",
            "severity": severity(alert.status),
            "timestamp": alert.since.isoformat(),
            "component": one_line(alert.service or alert.node, _LONGEST_FIELD),
            "group": one_line(alert.cluster, _LONGEST_FIELD),
            "class": one_line(alert.name or alert.check, _LONGEST_FIELD),
            "custom_details": details | ({"message": worded} if worded else {}),
        }
        return [
            self._event(
                message,
                alert,
                event_action="trigger",
                payload=payload,
                links=[{"href": alert.url, "text": "The alert in ConsulOps"}],
                client=self.config["client"] or "ConsulOps",
                client_url=self.config["client_url"] or alert.url,
            )
        ]

    def closing(self, message: Message, alert: AlertFacts) -> list[Call]:
        return [self._event(message, alert, event_action="resolve")]

    def _event(self, message: Message, alert: AlertFacts, **more: object) -> Call:
        keys = {
            "routing_key": self.config["routing_key"],
            "dedup_key": self.key(message, alert),
        }
        return Call(self.config["url"] or _ADDRESSES[self.config["region"]], keys | more)

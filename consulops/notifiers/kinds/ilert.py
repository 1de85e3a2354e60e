"""ilert, through its events API."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.incidents import (
    Call,
    IncidentKind,
    SecretKeyField,
    address_fields,
    described,
    facts_of,
    is_grave,
    one_line,
    some_lines,
)
from consulops.notifiers.samples import SAMPLES
from consulops.notifiers.wording import BadTemplate, render

_ADDRESS = "https://api.ilert.com/api/events"
_PRIORITIES = [("HIGH", "High"), ("LOW", "Low")]
_LONGEST_SUMMARY = 255
_LONGEST_DETAILS = 8_000
# With its hash below the 255 characters of most products: ilert says only that it trims.
_LONGEST_KEY = 200


class Ilert(IncidentKind):
    """Sends ALERT and RESOLVE; what comes again about an open alert is added to it."""

    name = "ilert"
    label = "ilert"
    group = "Incidents"
    longest_key = _LONGEST_KEY
    fields: ClassVar[dict[str, forms.Field]] = {
        "api_key": SecretKeyField(
            label="Integration key", help_text="Of the alert source, for example il1api…"
        ),
        "critical_priority": forms.ChoiceField(
            label="Priority of critical", choices=_PRIORITIES, initial="HIGH"
        ),
        "warning_priority": forms.ChoiceField(
            label="Priority of warning", choices=_PRIORITIES, initial="LOW"
        ),
        "alert_key": forms.CharField(
            label="Alert key",
            required=False,
            max_length=1000,
            help_text="A template such as {{ cluster }}:{{ alert.node }}:{{ alert.check }}. "
            "Checks with the same key share an alert, and the first that recovers resolves it. "
            "Without one, each check has its own.",
        ),
        **address_fields(),
    }
    secret_fields = frozenset({"api_key"})

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        try:
            for sample in SAMPLES.values():
                render(config.get("alert_key") or "", sample)
        except BadTemplate as error:
            return {"alert_key": [str(error)]}
        return {}

    def key(self, message: Message, alert: AlertFacts) -> str:
        return self._own_key(message) or _whatever_case(super().key(message, alert))

    def _own_key(self, message: Message) -> str:
        """The key that the notifier's template gives; empty without one, or when it fails."""
        try:
            key = render(self.config["alert_key"] or "", message).strip()
        except BadTemplate:
            # With another alert than those it was tried with: the usual key is a good one.
            return ""
        if key and message.reason == "test":
            key = f"test {message.id} {key}"
        return key if len(key) <= _LONGEST_KEY else f"{key[:160]}…{_hash(key)}"

    def opening(self, message: Message, alert: AlertFacts) -> list[Call]:
        priority = self.config[
            "critical_priority" if is_grave(alert.status) else "warning_priority"
        ]
        return [
            self._event(
                message,
                alert,
                eventType="ALERT",
                details=some_lines(self.body(message, described(alert)), _LONGEST_DETAILS),
                priority=priority,
                links=[{"href": alert.url, "text": "The alert in ConsulOps"}],
                customDetails=facts_of(alert),
            )
        ]

    def closing(self, message: Message, alert: AlertFacts) -> list[Call]:
        return [self._event(message, alert, eventType="RESOLVE")]

    def _event(self, message: Message, alert: AlertFacts, **more: object) -> Call:
        body = {
            "integrationKey": self.config["api_key"],
            "alertKey": self.key(message, alert),
            "summary": one_line(self.subject(message), _LONGEST_SUMMARY),
            **more,
        }
        return Call(self.config["url"] or _ADDRESS, body)


def _whatever_case(key: str) -> str:
    """The key, made distinct from those that differ only in case: ilert takes them for the same."""
    return key if key == key.lower() else f"{key} {_hash(key)[:12]}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]

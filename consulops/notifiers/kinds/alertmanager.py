"""Prometheus Alertmanager, through its API v2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import aiohttp
from django import forms
from django.core.exceptions import ValidationError

from consulops.notifiers import tls
from consulops.notifiers.base import AlertFacts, AsyncKind, Message, SendError
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import basic_login, exchange
from consulops.notifiers.incidents import (
    ListField,
    about,
    closes,
    combined,
    is_grave,
    one_line,
    side_by_side,
    some_lines,
    tls_fields,
)

_PATH = "/api/v2/alerts"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# What an alert is known by; anything else in its place, and recoveries would end other alerts.
_OURS = frozenset({"cluster", "node", "service", "service_id", "check", "severity", "test"})
_LONGEST_SUMMARY = 1000
_LONGEST_DESCRIPTION = 10_000
# Longer than Alertmanager waits for the rest of a group (30 s), so that a test is told.
_TEST_LASTS = timedelta(minutes=5)
_CHANGES = frozenset({"changed", "flapping"})
_HIDDEN = "•••"


class AddressesField(ListField):
    """The addresses of the members of one cluster, one a line."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        for text in value:
            WebAddressField(max_length=2000).clean(text)


class LabelsField(forms.CharField):
    """Labels, as lines `name=value`; cleaned to a dict."""

    widget = forms.Textarea
    # In a file of settings it may also be a mapping.
    takes_collections = True

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(name): str(text) for name, text in value.items()}
        lines = [line.partition("=") for line in str(value or "").splitlines() if line.strip()]
        return {name.strip(): text.strip() for name, _, text in lines}

    def validate(self, value: Any) -> None:
        for name, text in value.items():
            if not _LABEL.fullmatch(name) or not text:
                raise ValidationError(f"“{name}” is no label; write one “name=value” a line.")
            if name in _OURS:
                raise ValidationError(f"“{name}” is set by ConsulOps.")

    def run_validators(self, value: Any) -> None:
        """Those of a text do not apply to a dict."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(f"{name}={text}" for name, text in value.items())
        return value


class Alertmanager(AsyncKind):
    """Posts all alerts of a message to every member of the cluster; one that accepts is enough."""

    name = "alertmanager"
    label = "Prometheus Alertmanager"
    group = "Incidents"
    fields: ClassVar[dict[str, forms.Field]] = {
        "urls": AddressesField(
            label="Addresses",
            help_text="Every member of the cluster, one a line, for example "
            "https://alertmanager.example.org:9093; no load balancer.",
        ),
        "labels": LabelsField(
            required=False,
            help_text="Added to every alert, one “name=value” a line. The label alertname is "
            "ConsulCheck unless it is set here.",
        ),
        "ends_after_h": forms.IntegerField(
            label="Hours until it ends",
            min_value=1,
            max_value=24 * 30,
            initial=24,
            help_text="Alertmanager forgets an alert of which it hears nothing more for so long. "
            "Let the route remind more often than this.",
        ),
        "username": forms.CharField(label="User name", required=False, max_length=255),
        "password": forms.CharField(
            label="Password or token",
            required=False,
            max_length=4000,
            help_text="With a user name it is a password, without one a bearer token.",
        ),
        **tls_fields(),
    }
    secret_fields = frozenset({"password"})
    templated = ("subject", "body")

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        if config.get("username") and not config.get("password"):
            return {"password": ["A user name needs a password."]}
        if not str(config.get("password") or "").isprintable():
            return {"password": ["This has characters that no header may have."]}
        return {}

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        now = datetime.now(UTC)
        body = [
            posted
            for alert in message.worst_first()
            for posted in self._alerts(message, alert, now)
        ]
        urls: list[str] = self.config["urls"]
        if len(urls) == 1:
            return await self._post(http, urls[0], body)
        # Each member has to be told: they share what they sent, not what they were told.
        outcomes = await side_by_side(
            self, [self._post(http, url, body) for url in urls], timeout_s
        )
        answers = [outcome for outcome in outcomes if isinstance(outcome, str)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, SendError)]
        if not answers:
            raise combined(errors, f"None of {len(urls)} members took it")
        failed = f"; {' '.join(error.text for error in errors)}" if errors else ""
        return f"{len(answers)} of {len(urls)} members: {answers[0]}{failed}"

    async def _post(self, http: aiohttp.ClientSession, url: str, body: object) -> str:
        headers = self._credentials()
        context = tls.context(bool(self.config["verify_tls"]), self.config["ca_certificate"] or "")
        address = url.rstrip("/").removesuffix(_PATH) + _PATH
        try:
            return await exchange(http, address, headers=headers, json=body, ssl=context)
        except SendError as error:
            # A page that says all it was sent has the password in the form of the header.
            text = error.text
            for credentials in headers.values():
                text = text.replace(credentials.partition(" ")[2], _HIDDEN)
            raise SendError(
                text, permanent=error.permanent, retry_after_s=error.retry_after_s
            ) from None

    def _credentials(self) -> dict[str, str]:
        user, password = self.config["username"], self.config["password"]
        if user:
            return basic_login(user, password)
        return {"Authorization": f"Bearer {password}"} if password else {}

    def _alerts(self, message: Message, alert: AlertFacts, now: datetime) -> list[dict[str, Any]]:
        """The alert as it is now, and the end of what it was under another severity."""
        alone = about(message, alert)
        if message.reason == "test":
            # Ends by itself, and is nothing but itself.
            return [self._fires(alone, alert, now, _TEST_LASTS)]
        name, other = _severities(alert.status)
        if closes(message, alert):
            # Whichever was told last; one that never fired is not told.
            return [self._ended(alone, alert, now, one) for one in (name, other)]
        posted = [self._fires(alone, alert, now, timedelta(hours=self.config["ends_after_h"]))]
        if message.reason in _CHANGES or alert.previous == other:
            posted.append(self._ended(alone, alert, now, other))
        return posted

    def _ended(
        self, message: Message, alert: AlertFacts, now: datetime, name: str
    ) -> dict[str, Any]:
        ends_at = min(alert.since, now).isoformat()
        return {**self._common(message, alert, name), "endsAt": ends_at}

    def _fires(
        self, message: Message, alert: AlertFacts, now: datetime, lasts: timedelta
    ) -> dict[str, Any]:
        return {
            **self._common(message, alert, _severities(alert.status)[0]),
            "startsAt": min(alert.since, now).isoformat(),
            "endsAt": (now + lasts).isoformat(),
        }

    def _common(self, message: Message, alert: AlertFacts, name: str) -> dict[str, Any]:
        labels = {
            "alertname": "ConsulCheck",
            **(self.config["labels"] or {}),
            "cluster": alert.cluster,
            "node": alert.node,
            "service": alert.service,
            "service_id": alert.service_id,
            "check": alert.check,
            "severity": name,
            "test": message.id if message.reason == "test" else "",
        }
        annotations = {
            "summary": one_line(self.subject(message), _LONGEST_SUMMARY),
            "description": some_lines(self.body(message, alert.output), _LONGEST_DESCRIPTION),
            "name": one_line(alert.name, _LONGEST_SUMMARY),
            "tags": one_line(", ".join(alert.tags), _LONGEST_SUMMARY),
        }
        return {
            # An empty label is none; other texts go as they are, for they are what it is known by.
            "labels": {key: _sendable(text) for key, text in labels.items() if text},
            "annotations": {key: text for key, text in annotations.items() if text},
            "generatorURL": alert.url,
        }


def _severities(status: str) -> tuple[str, str]:
    """The severity of a state and the other one.

    Alertmanager knows an alert by all its labels, so that each severity is an alert of its own.
    """
    return ("critical", "warning") if is_grave(status) else ("warning", "critical")


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()

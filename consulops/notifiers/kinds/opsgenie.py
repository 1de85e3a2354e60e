"""Opsgenie, and Jira Service Management, which took over its API."""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import quote

from django import forms

from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.incidents import (
    Call,
    IncidentKind,
    ListField,
    SecretKeyField,
    address_fields,
    described,
    facts_of,
    is_grave,
    one_line,
    some_lines,
)

_ADDRESSES = {
    "opsgenie": "https://api.opsgenie.com/v2/alerts",
    "opsgenie_eu": "https://api.eu.opsgenie.com/v2/alerts",
    "jsm": "https://api.atlassian.com/jsm/ops/integration/v2/alerts",
}
_PRIORITIES = [(f"P{number}", f"P{number}") for number in range(1, 6)]
_LONGEST_MESSAGE = 130
_LONGEST_DESCRIPTION = 15_000
_LONGEST_NOTE = 25_000
_LONGEST_ENTITY = 512
_MOST_TAGS = 20
_LONGEST_TAG = 50
_SOURCE = "ConsulOps"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Opsgenie(IncidentKind):
    """Creates and closes alerts by alias; one that is open counts what comes again."""

    name = "opsgenie"
    label = "Opsgenie or Jira Service Management"
    group = "Incidents"
    longest_key = 512
    fields: ClassVar[dict[str, forms.Field]] = {
        "product": forms.ChoiceField(
            choices=[
                ("opsgenie", "Opsgenie"),
                ("opsgenie_eu", "Opsgenie, EU"),
                ("jsm", "Jira Service Management"),
            ],
            initial="opsgenie",
        ),
        "api_key": SecretKeyField(label="API key", help_text="Of an integration of the type API."),
        "critical_priority": forms.ChoiceField(
            label="Priority of critical", choices=_PRIORITIES, initial="P1"
        ),
        "warning_priority": forms.ChoiceField(
            label="Priority of warning", choices=_PRIORITIES, initial="P3"
        ),
        "responders": ListField(
            required=False,
            help_text="Teams, one a line: names for Opsgenie, ids for Jira Service Management. "
            "Without any, the integration's own.",
        ),
        "tags": ListField(
            required=False, help_text="One a line; the tags of the service come after them."
        ),
        **address_fields(),
    }
    secret_fields = frozenset({"api_key"})

    def key(self, message: Message, alert: AlertFacts) -> str:
        # The alias stands in the address, and not every server on the way lets an escaped slash
        # through. A bar is as good: in the key's parts both are escaped.
        return super().key(message, alert).replace("/", "|")

    def opening(self, message: Message, alert: AlertFacts) -> list[Call]:
        body = {
            "message": one_line(self.subject(message), _LONGEST_MESSAGE),
            "alias": self.key(message, alert),
            "description": self._text(message, alert, _LONGEST_DESCRIPTION),
            "responders": [_team(text) for text in self.config["responders"] or []],
            "tags": self._tags(alert),
            "details": {**facts_of(alert), "url": alert.url},
            "entity": one_line(alert.service or alert.node or alert.cluster, _LONGEST_ENTITY),
            "source": _SOURCE,
            "priority": self._priority(alert),
        }
        calls = [self._call("", body)]
        if message.reason in {"changed", "flapping"}:
            # An alert that is open only counts; what is new about it would not be seen.
            note = f"{self.subject(message)}\n\n{self._text(message, alert, _LONGEST_DESCRIPTION)}"
            calls.append(self._action(message, alert, "notes", note))
        return calls

    def closing(self, message: Message, alert: AlertFacts) -> list[Call]:
        return [self._action(message, alert, "close", self.subject(message))]

    def _action(self, message: Message, alert: AlertFacts, action: str, note: str) -> Call:
        alias = quote(self.key(message, alert), safe="")
        body = {"source": _SOURCE, "note": some_lines(note, _LONGEST_NOTE)}
        return self._call(f"/{alias}/{action}?identifierType=alias", body)

    def _call(self, path: str, body: object) -> Call:
        base = (self.config["url"] or _ADDRESSES[self.config["product"]]).rstrip("/")
        return Call(base + path, body, {"Authorization": f"GenieKey {self.config['api_key']}"})

    def _text(self, message: Message, alert: AlertFacts, longest: int) -> str:
        return some_lines(self.body(message, described(alert)), longest)

    def _tags(self, alert: AlertFacts) -> list[str]:
        tags = (one_line(tag, _LONGEST_TAG) for tag in [*(self.config["tags"] or []), *alert.tags])
        return list(dict.fromkeys(tag for tag in tags if tag))[:_MOST_TAGS]

    def _priority(self, alert: AlertFacts) -> str:
        return str(
            self.config["critical_priority" if is_grave(alert.status) else "warning_priority"]
        )


def _team(text: str) -> dict[str, str]:
    return {"type": "team", "id" if _UUID.fullmatch(text) else "name": text}

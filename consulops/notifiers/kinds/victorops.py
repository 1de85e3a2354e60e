"""Splunk On-Call, which was VictorOps, through its REST endpoint."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

import aiohttp
from django import forms

from consulops.notifiers.base import AlertFacts, Message, SendError
from consulops.notifiers.http import Answer
from consulops.notifiers.incidents import (
    Call,
    IncidentKind,
    SecretKeyField,
    address_fields,
    described,
    facts_of,
    one_line,
    severity,
    some_lines,
)

_ADDRESS = "https://alert.victorops.com/integrations/generic/20131114/alert"
_LONGEST_TITLE = 255
_LONGEST_TEXT = 20_480
_TYPES = {"critical": "CRITICAL", "error": "CRITICAL", "warning": "WARNING", "info": "INFO"}


class VictorOps(IncidentKind):
    """Sends CRITICAL, WARNING and RECOVERY; whether a warning pages is set at the receiver."""

    name = "victorops"
    label = "Splunk On-Call (VictorOps)"
    group = "Incidents"
    fields: ClassVar[dict[str, forms.Field]] = {
        "api_key": SecretKeyField(
            label="API key", help_text="Of the REST integration: in its address, after /alert/."
        ),
        "routing_key": forms.CharField(
            max_length=255, help_text="Chooses the escalation policy: in its address the last part."
        ),
        **address_fields(),
    }
    secret_fields = frozenset({"api_key"})

    def opening(self, message: Message, alert: AlertFacts) -> list[Call]:
        return [self._event(message, alert, _TYPES[severity(alert.status)])]

    def closing(self, message: Message, alert: AlertFacts) -> list[Call]:
        return [self._event(message, alert, "RECOVERY")]

    def _event(self, message: Message, alert: AlertFacts, message_type: str) -> Call:
        facts = facts_of(alert)
        body = {
            "message_type": message_type,
            "entity_id": self.key(message, alert),
            "entity_display_name": one_line(self.subject(message), _LONGEST_TITLE),
            "state_message": some_lines(self.body(message, described(alert)), _LONGEST_TEXT),
            "state_start_time": int(alert.since.timestamp()),
            "monitoring_tool": "ConsulOps",
            "host_name": facts.get("node", ""),
            "monitor_name": facts.get("name") or facts.get("check", ""),
            "alert_url": alert.url,
            "consul_cluster": facts.get("cluster", ""),
            "consul_node": facts.get("node", ""),
            "consul_service": facts.get("service", ""),
            "consul_service_id": facts.get("service_id", ""),
            "consul_check": facts.get("name", ""),
            "consul_check_id": facts.get("check", ""),
            "consul_tags": facts.get("tags", ""),
        }
        return Call(self._address(), body)

    def _address(self) -> str:
        keys = (self.config["api_key"], quote(self.config["routing_key"], safe=""))
        return "/".join([(self.config["url"] or _ADDRESS).rstrip("/"), *keys])

    async def _ask(self, http: aiohttp.ClientSession, call: Call) -> Answer:
        answer = await super()._ask(http, call)
        # It may say no under the status 200.
        if answer.field("result") == "failure":
            raise SendError(str(answer), permanent=True)
        return answer

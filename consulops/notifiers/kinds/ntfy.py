"""A topic of ntfy, on ntfy.sh or a server of one's own: pushed to phones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers import text, tls
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import basic_login, exchange
from consulops.notifiers.text import Room

# Beyond 4,096 bytes ntfy makes a file of the message.
_MOST_BYTES = 4000
_MOST_BODY = 1000
# 5 rings and vibrates long, 3 is usual, 2 makes no sound.
_PRIORITIES = {"critical": 5, "warning": 4, "maintenance": 2, "passing": 3, "gone": 2}
_UNKNOWN_PRIORITY = 4
# The names of emoji, which ntfy puts in front of the title.
_TAGS = {
    "critical": "rotating_light",
    "warning": "warning",
    "maintenance": "wrench",
    "passing": "white_check_mark",
    "gone": "heavy_minus_sign",
}


class Ntfy(AsyncKind):
    """Publishes one message, as loud as its worst alert, that opens this alert."""

    name = "ntfy"
    label = "ntfy"
    group = "Mail & push"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(label="Server", initial="https://ntfy.sh", max_length=500),
        "topic": forms.RegexField(
            r"^[-_A-Za-z0-9]{1,64}$",
            error_messages={"invalid": "At most 64 letters, digits, - and _."},
            help_text="On a public server who knows it can read it, so it is a secret.",
        ),
        "token": forms.CharField(
            required=False,
            max_length=500,
            help_text="An access token. With it, no user name and password are needed.",
        ),
        "username": forms.CharField(label="User name", required=False, max_length=200),
        "password": forms.CharField(required=False, max_length=500, strip=False),
        **tls.FIELDS,
    }
    secret_fields = frozenset({"topic", "token", "password"})
    templated = ("subject", "body")

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        if config.get("username") and not (config.get("password") or config.get("token")):
            return {"password": ["A user name needs a password."]}
        return {}

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        return await exchange(
            http,
            f"{self.config['url'].rstrip('/')}/",
            json=self.payload(message),
            headers=self._headers(),
            ssl=tls.chosen(self.config),
        )

    def _headers(self) -> dict[str, str]:
        if self.config["token"]:
            return {"Authorization": f"Bearer {self.config['token']}"}
        if self.config["username"]:
            return basic_login(self.config["username"], self.config["password"])
        return {}

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as ntfy takes it in JSON."""
        worst = message.worst_first()[0]
        return {
            "topic": self.config["topic"],
            "title": text.heading(message, self.wording),
            "message": text.fit(
                lambda room: self._text(message, room),
                lambda made: len(made.encode("utf-8", "replace")),
                _MOST_BYTES,
            ),
            "priority": _PRIORITIES.get(worst.status, _UNKNOWN_PRIORITY),
            "tags": [_TAGS.get(worst.status, "question")],
            "click": worst.url,
        }

    def _text(self, message: Message, room: Room) -> str:
        own = text.clip(self.body(message, ""), _MOST_BODY, most_lines=100)
        alerts = message.worst_first()
        parts = [own] if own else [_alert(alert, room) for alert in alerts[: room.alerts]]
        if not own:
            parts += filter(None, [text.rest(alerts[room.alerts :])])
        return "\n\n".join([*parts, text.source(message)])


def _alert(alert: AlertFacts, room: Room) -> str:
    lines = (text.title(alert), text.since(alert), text.output(alert, room.output))
    return "\n".join(line for line in lines if line)

"""A Microsoft Teams channel or chat, through a webhook of the Workflows app."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers import text
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import exchange
from consulops.notifiers.text import Room

# Teams refuses more than 28 KB.
_MOST_BYTES = 27_000
_MOST_LINES = 6
_MOST_BODY = 4000
_STYLES = {
    "critical": "attention",
    "warning": "warning",
    "passing": "good",
    "maintenance": "accent",
}


class Teams(AsyncKind):
    """Posts an adaptive card: its text is made of runs, which know neither marks nor mentions."""

    name = "teams"
    label = "Microsoft Teams"
    group = "Chat"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Workflow's address",
            max_length=2000,
            help_text="Of the workflow “Post to a channel when a webhook request is received”; "
            "who knows it can post, so it is a secret.",
        ),
    }
    secret_fields = frozenset({"url"})
    templated = ("subject", "body")

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        return await exchange(http, self.config["url"], json=self.payload(message))

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as a card, within the limit of Teams."""
        return text.fit(
            lambda room: self._card(message, room),
            lambda made: len(json.dumps(made)),
            _MOST_BYTES,
        )

    def _card(self, message: Message, room: Room) -> dict[str, Any]:
        head = _line(text.heading(message, self.wording), size="Large", weight="Bolder")
        source = _line(text.source(message), isSubtle=True, size="Small")
        content = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {"width": "Full"},
            "body": [head, *self._middle(message, room), source],
        }
        kind = "application/vnd.microsoft.card.adaptive"
        attachment = {"contentType": kind, "contentUrl": None, "content": content}
        return {"type": "message", "attachments": [attachment]}

    def _middle(self, message: Message, room: Room) -> list[dict[str, Any]]:
        alerts = message.worst_first()
        own = text.clip(self.body(message, ""), _MOST_BODY, most_lines=60)
        if own:
            return [*map(_line, own.splitlines()), _title(alerts[0])]
        rest = text.rest(alerts[room.alerts :])
        made = [_alert(alert, room) for alert in alerts[: room.alerts]]
        return [*made, _line(rest)] if rest else made


def _alert(alert: AlertFacts, room: Room) -> dict[str, Any]:
    output = text.output(alert, room.output, _MOST_LINES)
    return {
        "type": "Container",
        "style": _STYLES.get(alert.status, "default"),
        "items": [
            _title(alert),
            _line(text.since(alert), isSubtle=True),
            *(_line(line, fontType="Monospace") for line in output.splitlines()),
        ],
    }


def _title(alert: AlertFacts) -> dict[str, Any]:
    opens = {"type": "Action.OpenUrl", "url": alert.url}
    return _line(text.title(alert), weight="Bolder", selectAction=opens)


def _line(said: str, **looks: Any) -> dict[str, Any]:
    """One line of plain text: what looks like Markdown in it is shown as it is."""
    # An empty run is refused; a space keeps the empty line.
    run = {"type": "TextRun", "text": said or " ", **looks}
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": [run]}

"""A Slack channel, through an incoming webhook; Mattermost and Rocket.Chat take the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import exchange

# Slack takes 50 blocks and 3,000 characters in each, but nobody reads that on a phone.
_MOST_ALERTS = 20
_MOST_OUTPUT = 600
_MOST_TITLE = 300
# Of what is escaped, where one character may become five.
_MOST_ESCAPED = 1200
_MARKS = {
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "maintenance": ":large_blue_circle:",
    "passing": ":large_green_circle:",
    "gone": ":heavy_minus_sign:",
}


class Slack(AsyncKind):
    """Posts blocks, worst alert first, with a plain text for notifications on a phone."""

    name = "slack"
    label = "Slack"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Incoming webhook",
            max_length=2000,
            help_text="The whole address that Slack shows; who knows it can post, so it is a "
            "secret.",
        ),
    }
    secret_fields = frozenset({"url"})

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        return await exchange(http, self.config["url"], json=payload(message))


def payload(message: Message) -> dict[str, Any]:
    """The message in Slack's form."""
    title = message.title()
    if len(message.alerts) > 1:
        title += f": {message.counts()}"
    alerts = message.worst_first()
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": excerpt(title, 150)}},
        *(_section(_alert(alert)) for alert in alerts[:_MOST_ALERTS]),
    ]
    if len(alerts) > _MOST_ALERTS:
        blocks.append(_section(_rest(alerts[_MOST_ALERTS:])))
    source = f"Cluster {message.cluster}" + (f" · route {message.route}" if message.route else "")
    note = {"type": "mrkdwn", "text": escape(excerpt(source, _MOST_TITLE))}
    blocks.append({"type": "context", "elements": [note]})
    return {"text": escape(excerpt(title, _MOST_TITLE)), "blocks": blocks, "unfurl_links": False}


def escape(text: str) -> str:
    """The text with Slack's control characters made harmless: a check can mention nobody."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= _MOST_ESCAPED:
        return escaped
    return escape(text[: _MOST_ESCAPED // len("&amp;") - 1]) + "…"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _alert(alert: AlertFacts) -> str:
    mark = _MARKS.get(alert.status, ":white_circle:")
    # A bar or an angle bracket would end the link.
    url = escape(alert.url).replace("|", "%7C")
    title = escape(excerpt(alert.title, _MOST_TITLE)).replace("|", "¦")
    seconds = int(alert.since.timestamp())
    since = f"<!date^{seconds}^since {{date_short_pretty}} {{time_secs}}|since {alert.since:%F %T}>"
    lines = [f"{mark} <{url}|{title}>", since]
    output = "\n".join(excerpt(line, _MOST_OUTPUT) for line in alert.output.splitlines()[:12])
    if output.strip():
        # A zero-width space keeps the output from closing the code block early.
        safe = escape(output[:_MOST_OUTPUT].replace("`", "`\u200b"))
        lines.append(f"```{safe}```")
    return "\n".join(lines)


def _rest(alerts: Iterable[AlertFacts]) -> str:
    left = Message(id="", reason="", cluster="", route="", alerts=tuple(alerts))
    return f"… and {len(left.alerts)} more: {escape(left.counts())}"

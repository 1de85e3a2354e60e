"""A Slack channel, through an incoming webhook; Rocket.Chat takes the same."""

from __future__ import annotations

from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers import text
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import exchange

# Slack takes 50 blocks and 3,000 characters in each, but nobody reads that on a phone.
_MOST_ALERTS = 20
_MOST_OUTPUT = 600
_MOST_BODY = 2900
# Of what is escaped, where one character may become five.
_MOST_ESCAPED = 1200
_MARKS = {
    "critical": ":red_circle:",
    "warning": ":large_orange_circle:",
    "maintenance": ":large_blue_circle:",
    "passing": ":large_green_circle:",
    "gone": ":heavy_minus_sign:",
}
_LOOKS = ("channel", "username", "icon_url", "icon_emoji")


class Slack(AsyncKind):
    """Posts blocks, worst alert first, with a plain text for notifications on a phone."""

    name = "slack"
    label = "Slack"
    group = "Chat"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Incoming webhook",
            max_length=2000,
            help_text="The whole address that Slack shows; who knows it can post, so it is a "
            "secret.",
        ),
        "channel": forms.CharField(
            required=False,
            max_length=100,
            help_text="Only older webhooks let a message choose: #alerts, or @somebody.",
        ),
        "username": forms.CharField(label="Name shown", required=False, max_length=80),
        "icon_url": WebAddressField(label="Picture shown", required=False, max_length=2000),
        "icon_emoji": forms.RegexField(
            r"^:?[a-z0-9_+'-]+:?$",
            label="Emoji shown",
            required=False,
            max_length=100,
            error_messages={"invalid": "The name of an emoji looks like :rotating_light:."},
            help_text="For example :rotating_light:. Instead of a picture.",
        ),
        "detailed": forms.BooleanField(
            label="Show output and times",
            required=False,
            initial=True,
            help_text="Otherwise one line per alert.",
        ),
    }
    secret_fields = frozenset({"url"})
    templated = ("subject", "body")

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        looks = {name: self.config[name] for name in _LOOKS if self.config[name]}
        if "icon_emoji" in looks:
            looks["icon_emoji"] = f":{looks['icon_emoji'].strip(':')}:"
        return await exchange(http, self.config["url"], json={**self.payload(message), **looks})

    def payload(self, message: Message) -> dict[str, Any]:
        """The message in Slack's form."""
        title = text.heading(message, self.wording)
        own = text.clip(self.body(message, ""), _MOST_BODY, most_lines=200)
        if not self.config["detailed"] and not own:
            return {"text": _short(title, message), "unfurl_links": False}
        alerts = message.worst_first()
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": title}}
        ]
        if own:
            blocks.append({"type": "section", "text": {"type": "plain_text", "text": own}})
            blocks += [_section(_link(alert)) for alert in alerts[:1]]
        else:
            blocks += [_section(_alert(alert)) for alert in alerts[:_MOST_ALERTS]]
            blocks += [_section(rest) for rest in _rest(alerts)]
        note = {"type": "mrkdwn", "text": escape(text.source(message)), "verbatim": True}
        blocks.append({"type": "context", "elements": [note]})
        return {"text": escape(title), "blocks": blocks, "unfurl_links": False}


def escape(said: str) -> str:
    """The text with Slack's control characters made harmless: a check can mention nobody."""
    escaped = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= _MOST_ESCAPED:
        return escaped
    return escape(said[: _MOST_ESCAPED // len("&amp;") - 1]) + "…"


def _section(said: str) -> dict[str, Any]:
    # Verbatim: no word of a check becomes a link or a mention by itself.
    return {"type": "section", "text": {"type": "mrkdwn", "text": said, "verbatim": True}}


def _short(title: str, message: Message) -> str:
    alerts = message.worst_first()
    lines = [_link(alert) for alert in alerts[:_MOST_ALERTS]]
    if title not in [text.title(alert) for alert in alerts]:
        lines.insert(0, escape(text.tame(title)))
    return "\n".join([*lines, *_rest(alerts)])


def _link(alert: AlertFacts) -> str:
    # A bar or an angle bracket would end the link.
    url = escape(alert.url).replace("|", "%7C")
    title = escape(text.title(alert)).replace("|", "¦")
    return f"{_MARKS.get(alert.status, ':white_circle:')} <{url}|{title}>"


def _alert(alert: AlertFacts) -> str:
    seconds = int(alert.since.timestamp())
    since = f"<!date^{seconds}^since {{date_short_pretty}} {{time_secs}}|since {alert.since:%F %T}>"
    lines = [_link(alert), since]
    output = text.output(alert, _MOST_OUTPUT)
    if output:
        # A zero-width space keeps the output from closing the code block early.
        lines.append(f"```{escape(output.replace('`', '`' + text.GAP))}```")
    return "\n".join(lines)


def _rest(alerts: list[AlertFacts]) -> list[str]:
    rest = text.rest(alerts[_MOST_ALERTS:])
    return [escape(rest)] if rest else []

"""A Telegram chat, group or channel, through a bot."""

from __future__ import annotations

import html
import re
from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers import text
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import exchange
from consulops.notifiers.text import Room

# Telegram counts UTF-16 units of the text without its tags.
_MOST_UNITS = 4096
_MOST_BODY = 1800
_TAG = re.compile("<[^>]*>")
_MARKS = {"critical": "🔴", "warning": "🟠", "maintenance": "🔵", "passing": "🟢", "gone": "⚪"}


class Telegram(AsyncKind):
    """Sends one message with a link for each alert; the bot's token is part of the address."""

    name = "telegram"
    label = "Telegram"
    group = "Chat"
    fields: ClassVar[dict[str, forms.Field]] = {
        "token": forms.RegexField(
            r"^[0-9]+:[A-Za-z0-9_-]+$",
            label="Bot token",
            max_length=200,
            error_messages={"invalid": "A token looks like 123456:AbC-dEf."},
            help_text="From @BotFather.",
        ),
        "chat_id": forms.RegexField(
            r"^(-?[0-9]+|@[A-Za-z0-9_]+)$",
            label="Chat",
            max_length=100,
            error_messages={"invalid": "Enter a number, or the @name of a channel."},
            help_text="Its number (groups have negative ones), or @name of a public channel.",
        ),
        "thread_id": forms.IntegerField(
            label="Topic", required=False, min_value=1, help_text="Number of a topic in a forum."
        ),
        "quiet_recoveries": forms.BooleanField(
            label="Recoveries without a sound", required=False, initial=True
        ),
        "api_url": WebAddressField(
            label="API address",
            initial="https://api.telegram.org",
            max_length=500,
            help_text="Another one only for an API server of your own.",
        ),
    }
    secret_fields = frozenset({"token"})
    templated = ("subject", "body")

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        base = self.config["api_url"].rstrip("/")
        url = f"{base}/bot{self.config['token']}/sendMessage"
        return await exchange(http, url, json=self.payload(message))

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as the method sendMessage takes it."""
        recovery = all(alert.is_resolved for alert in message.alerts)
        made: dict[str, Any] = {
            "chat_id": self.config["chat_id"],
            "text": text.fit(lambda room: self._html(message, room), units, _MOST_UNITS),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            "disable_notification": bool(self.config["quiet_recoveries"]) and recovery,
        }
        if self.config["thread_id"]:
            made["message_thread_id"] = self.config["thread_id"]
        return made

    def _html(self, message: Message, room: Room) -> str:
        alerts = message.worst_first()
        head = text.heading(message, self.wording)
        own = text.clip(self.body(message, ""), _MOST_BODY, most_lines=100)
        parts = [f"<b>{_plain(head)}</b>"] if own or head != text.title(alerts[0]) else []
        if own:
            parts += [_plain(own), _link(alerts[0])]
        else:
            parts += [_alert(alert, room) for alert in alerts[: room.alerts]]
            parts += filter(None, [text.rest(alerts[room.alerts :])])
        return "\n\n".join([*parts, f"<i>{_plain(text.source(message))}</i>"])


def units(said: str) -> int:
    """How long Telegram finds this HTML."""
    return len(html.unescape(_TAG.sub("", said)).encode("utf-16-le")) // 2


def _plain(said: str) -> str:
    return html.escape(text.tame(said))


def _link(alert: AlertFacts) -> str:
    mark = _MARKS.get(alert.status, "⚫")
    return f'{mark} <a href="{html.escape(alert.url)}">{html.escape(text.title(alert))}</a>'


def _alert(alert: AlertFacts, room: Room) -> str:
    output = text.output(alert, room.output)
    lines = [_link(alert), text.since(alert)]
    return "\n".join([*lines, f"<pre>{html.escape(output)}</pre>"] if output else lines)

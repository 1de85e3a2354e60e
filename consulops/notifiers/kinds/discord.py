"""A Discord channel, through a webhook."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers import text
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import exchange
from consulops.notifiers.text import Room

# Discord takes ten embeds, and 6,000 characters in all of them.
_MOST_EMBEDS = 10
_MOST_CHARACTERS = 5900
_MOST_EMBED_TITLE = 256
_MOST_BODY = 1800


class DiscordAddressField(WebAddressField):
    """The address with the version of the API: only from 8 on are waits told in seconds."""

    def clean(self, value: Any) -> Any:
        return re.sub(r"/api/webhooks/", "/api/v10/webhooks/", super().clean(value), count=1)


class Discord(AsyncKind):
    """Posts an embed in the colour of its state for each alert; nobody can be mentioned."""

    name = "discord"
    label = "Discord"
    group = "Chat"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": DiscordAddressField(
            label="Webhook",
            max_length=2000,
            help_text="The whole address; who knows it can post, so it is a secret.",
        ),
        "username": forms.RegexField(
            r"(?i)^(?!.*(discord|clyde))",
            label="Name shown",
            required=False,
            max_length=80,
            error_messages={"invalid": "Discord allows no name with “discord” or “clyde”."},
        ),
        "avatar_url": WebAddressField(label="Picture shown", required=False, max_length=2000),
    }
    secret_fields = frozenset({"url"})
    templated = ("subject", "body")

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        # With `wait` the answer tells whether the message was kept, not only that it came.
        return await exchange(
            http, self.config["url"], params={"wait": "true"}, json=self.payload(message)
        )

    def payload(self, message: Message) -> dict[str, Any]:
        """The message in Discord's form."""
        looks = {name: self.config[name] for name in ("username", "avatar_url")}
        return {
            "content": f"**{text.markdown(text.heading(message, self.wording))}**",
            "embeds": text.fit(
                lambda room: self._embeds(message, room), characters, _MOST_CHARACTERS
            ),
            "allowed_mentions": {"parse": []},
            **{name: value for name, value in looks.items() if value},
        }

    def _embeds(self, message: Message, room: Room) -> list[dict[str, Any]]:
        alerts = message.worst_first()
        own = text.clip(self.body(message, ""), _MOST_BODY, most_lines=100)
        shown = 1 if own else min(room.alerts, _MOST_EMBEDS)
        made = [
            _embed(alert, text.markdown(own) or _details(alert, room)) for alert in alerts[:shown]
        ]
        left = "" if own else text.rest(alerts[shown:])
        footer = " · ".join(part for part in (left, text.source(message)) if part)
        made[-1]["footer"] = {"text": footer}
        return made


def characters(embeds: list[dict[str, Any]]) -> int:
    """What Discord counts of embeds."""
    return sum(
        len(one["title"]) + len(one["description"]) + len(one.get("footer", {}).get("text", ""))
        for one in embeds
    )


def _embed(alert: AlertFacts, description: str) -> dict[str, Any]:
    return {
        "title": text.clip(text.markdown(text.title(alert)), _MOST_EMBED_TITLE),
        "url": alert.url,
        "description": description,
        "color": int(text.colour(alert).removeprefix("#"), 16),
        "timestamp": alert.since.isoformat(),
    }


def _details(alert: AlertFacts, room: Room) -> str:
    return text.code_block(text.output(alert, room.output)) or text.since(alert)

"""A Mattermost channel, through the server's API of today (version 4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import quote

import aiohttp
from django import forms

from consulops.notifiers import text, tls
from consulops.notifiers.base import AlertFacts, AsyncKind, Message, SendError
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import ask
from consulops.notifiers.text import Room

# Older servers keep no more than 8,000 characters of attachments with a post.
_MOST_ATTACHMENTS = 7600
_MOST_BODY = 3000
# The message is there already; its session is not worth waiting for.
_LOGOUT_S = 2


class Mattermost(AsyncKind):
    """Posts as a bot or a person: with a token, or with a login for each message."""

    name = "mattermost"
    label = "Mattermost"
    group = "Chat"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Server", max_length=2000, help_text="For example https://chat.example.org."
        ),
        "token": forms.CharField(
            required=False,
            max_length=500,
            help_text="Of a bot account, or a personal access token. With it, no user name and "
            "password are needed.",
        ),
        "username": forms.CharField(label="User name", required=False, max_length=200),
        "password": forms.CharField(required=False, max_length=500, strip=False),
        "team": forms.SlugField(max_length=64, help_text="As in the address of its pages."),
        "channel": forms.CharField(max_length=64, help_text="As in the address of its page."),
        **tls.FIELDS,
    }
    secret_fields = frozenset({"token", "password"})
    templated = ("subject", "body")

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        if config.get("token"):
            return {}
        if not config.get("username"):
            return {"token": ["Enter a token, or a user name and a password."]}
        return {} if config.get("password") else {"password": ["A user name needs a password."]}

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        if self.config["token"]:
            return await self._post(http, message, self.config["token"])
        login = {"login_id": self.config["username"], "password": self.config["password"]}
        answer = await ask(http, self._url("users/login"), json=login, ssl=self._tls)
        token = answer.headers.get("Token", "")
        if not token:
            raise SendError("The server let us in but gave no token.", permanent=True)
        try:
            return await self._post(http, message, token)
        finally:
            # A session that stays ends by itself, weeks later.
            with suppress(SendError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(_LOGOUT_S):
                    await self._call(http, "users/logout", token)

    async def _post(self, http: aiohttp.ClientSession, message: Message, token: str) -> str:
        team, channel = (quote(self.config[name], safe="") for name in ("team", "channel"))
        where = f"teams/name/{team}/channels/name/{channel}"
        channel_id = (await self._call(http, where, token, method="GET")).field("id")
        if not channel_id:
            raise SendError("The server's answer names no channel.", permanent=True)
        head, attachments = say(self, message)
        post = {"channel_id": channel_id, "message": head, "props": {"attachments": attachments}}
        answer = await self._call(http, "posts", token, json=post)
        return f"HTTP {answer.status}: post {answer.field('id')}"

    async def _call(self, http: aiohttp.ClientSession, path: str, token: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return await ask(http, self._url(path), headers=headers, ssl=self._tls, **more)

    def _url(self, path: str) -> str:
        return f"{self.config['url'].rstrip('/')}/api/v4/{path}"

    @property
    def _tls(self) -> Any:
        return tls.chosen(self.config)


def say(kind: AsyncKind, message: Message) -> tuple[str, list[dict[str, Any]]]:
    """The text of a post and its attachments, one per alert, worst first."""
    head = f"**{text.markdown(text.heading(message, kind.wording))}**"
    own = text.clip(kind.body(message, ""), _MOST_BODY, most_lines=200)
    if own:
        worst = message.worst_first()[0]
        return head, [_attachment(worst, text.markdown(own), message)]
    return head, text.fit(
        lambda room: _attachments(message, room),
        lambda made: len(json.dumps(made, ensure_ascii=False)),
        _MOST_ATTACHMENTS,
    )


def _attachments(message: Message, room: Room) -> list[dict[str, Any]]:
    alerts = message.worst_first()
    shown = alerts[: room.alerts]
    made = [_attachment(alert, _details(alert, room), message) for alert in shown]
    rest = text.rest(alerts[room.alerts :])
    return [*made, {"fallback": rest, "text": rest}] if rest else made


def _attachment(alert: AlertFacts, details: str, message: Message) -> dict[str, Any]:
    title = text.tame(text.title(alert))
    return {
        "fallback": title,
        "color": text.colour(alert),
        "title": title,
        "title_link": alert.url,
        "text": details,
        "footer": text.tame(text.source(message)),
    }


def _details(alert: AlertFacts, room: Room) -> str:
    parts = (text.since(alert), text.code_block(text.output(alert, room.output)))
    return "\n".join(part for part in parts if part)

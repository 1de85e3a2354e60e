"""A Mattermost channel, through an incoming webhook."""

from __future__ import annotations

from typing import ClassVar

import aiohttp
from django import forms

from consulops.notifiers import tls
from consulops.notifiers.base import AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import exchange
from consulops.notifiers.kinds.mattermost import say

_LOOKS = ("channel", "username", "icon_url")


class MattermostWebhook(AsyncKind):
    """Posts an attachment in the colour of its state for each alert."""

    name = "mattermost-webhook"
    label = "Mattermost webhook"
    group = "Chat"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Incoming webhook",
            max_length=2000,
            help_text="The whole address; who knows it can post, so it is a secret.",
        ),
        "channel": forms.CharField(
            required=False, max_length=100, help_text="Instead of the webhook's own channel."
        ),
        "username": forms.CharField(label="Name shown", required=False, max_length=64),
        "icon_url": WebAddressField(label="Picture shown", required=False, max_length=2000),
        **tls.FIELDS,
    }
    secret_fields = frozenset({"url"})
    templated = ("subject", "body")

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        head, attachments = say(self, message)
        looks = {name: self.config[name] for name in _LOOKS if self.config[name]}
        body = {"text": head, "attachments": attachments, **looks}
        return await exchange(http, self.config["url"], json=body, ssl=tls.chosen(self.config))

"""HipChat, which ended: only so that an old configuration can be taken over as it is."""

from __future__ import annotations

from typing import ClassVar

import aiohttp
from django import forms

from consulops.notifiers.base import AsyncKind, Message, SendError
from consulops.notifiers.fields import WebAddressField


class HipChat(AsyncKind):
    """Keeps the settings of consul-alerts; nobody can be told with them any more."""

    name = "hipchat"
    label = "HipChat"
    group = "Chat"
    ended = "HipChat ended in February 2019: this notifier can only be kept switched off."
    fields: ClassVar[dict[str, forms.Field]] = {
        "room_id": forms.CharField(label="Room", required=False, max_length=200),
        "auth_token": forms.CharField(label="Token", required=False, max_length=500),
        "base_url": WebAddressField(label="Server", required=False, max_length=500),
        "sender": forms.CharField(label="From", required=False, max_length=200),
    }
    secret_fields = frozenset({"auth_token"})

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        raise SendError(self.ended, permanent=True)

"""What a handler does with an event: the settings of each kind, and the work itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import aiohttp
from django import forms
from django.core.exceptions import ValidationError

from consulops.events import payloads
from consulops.events.models import Event, HandlerKind
from consulops.notifiers import executables, tls
from consulops.notifiers.base import Kind
from consulops.notifiers.fields import HeadersField, WebAddressField
from consulops.notifiers.http import exchange
from consulops.notifiers.sending import plain_errors, scrub

VERSION = 1


@dataclass(frozen=True, slots=True)
class Occasion:
    """One event for one handler; the key is the same in each attempt."""

    key: UUID
    event: Event
    cluster: str
    is_test: bool = False


def _programs() -> list[tuple[str, str]]:
    return [("", "Choose a program"), *((name, name) for name in executables.available())]


class ProgramField(forms.ChoiceField):
    """A program that lies in the allowed folder now."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=_programs, **kwargs)

    def validate(self, value: Any) -> None:
        forms.Field.validate(self, value)
        try:
            executables.path_of(value)
        except executables.NotAllowed as refusal:
            raise ValidationError(str(refusal)) from None


class ArgumentsField(forms.CharField):
    """A program's arguments, one a line; cleaned to a list."""

    widget = forms.Textarea
    # In a file of settings it is a list.
    takes_collections = True

    def to_python(self, value: Any) -> Any:
        words = value if isinstance(value, list) else str(value or "").splitlines()
        return [str(word) for word in words]

    def run_validators(self, value: Any) -> None:
        """Those of a text do not apply to a list."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class Webhook(Kind):
    """Sends the event as JSON, signed when a secret is set, as the notifier of that name does."""

    name = HandlerKind.WEBHOOK.value
    label = HandlerKind.WEBHOOK.label
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Address", max_length=2000, help_text="For example https://example.org/hook."
        ),
        "headers": HeadersField(
            required=False, help_text="One “Name: value” a line, or a JSON object."
        ),
        "secret": forms.CharField(
            label="Signing secret",
            required=False,
            max_length=500,
            help_text="If set, the header X-ConsulOps-Signature carries sha256= and the hex "
            "HMAC-SHA256 of the body.",
        ),
        **tls.FIELDS,
    }
    secret_fields = frozenset({"headers", "secret"})

    async def send(self, http: aiohttp.ClientSession, occasion: Occasion, timeout_s: float) -> str:
        """Sends it and returns the answer in one line. Raises SendError."""
        with plain_errors(self, timeout_s):
            async with asyncio.timeout(timeout_s):
                answer = await self._post(http, occasion)
        return scrub(answer, self)

    async def _post(self, http: aiohttp.ClientSession, occasion: Occasion) -> str:
        body = json.dumps(webhook_body(occasion), ensure_ascii=False).encode()
        headers = {
            **(self.config["headers"] or {}),
            "Content-Type": "application/json",
            "Idempotency-Key": str(occasion.key),
        }
        if self.config["secret"]:
            digest = hmac.new(self.config["secret"].encode(), body, hashlib.sha256).hexdigest()
            headers["X-ConsulOps-Signature"] = f"sha256={digest}"
        trust = tls.chosen(self.config)
        return await exchange(http, self.config["url"], data=body, headers=headers, ssl=trust)


class Program(Kind):
    """Runs a program of the allowed folder with the event on its standard input."""

    name = HandlerKind.EXECUTABLE.value
    label = HandlerKind.EXECUTABLE.label
    fields: ClassVar[dict[str, forms.Field]] = {
        "program": ProgramField(),
        "arguments": ArgumentsField(
            required=False, max_length=4000, help_text="One a line; no shell reads them."
        ),
    }

    async def run(self, occasion: Occasion, timeout_s: float) -> executables.Outcome:
        """Runs it to its end or the timeout. Raises NotAllowed."""
        # As compact as Consul's own.
        given = json.dumps(program_input(occasion), separators=(",", ":")).encode()
        words = self.config["arguments"] or []
        return await executables.run_async(self.config["program"], words, given, timeout_s)


KINDS: Mapping[str, type[Kind]] = {kind.name: kind for kind in (Webhook, Program)}


def webhook_body(occasion: Occasion) -> dict[str, Any]:
    """The event as a webhook's body; a payload that is no text comes in base64."""
    event, text = occasion.event, payloads.text_of(occasion.event.bytes)
    return {
        "version": VERSION,
        "id": event.event_id,
        "name": event.name,
        "payload": _base64(event) if text is None else text,
        "payload_encoding": "base64" if text is None else "utf-8",
        "cluster": occasion.cluster,
        "filters": {
            "node": event.node_filter,
            "service": event.service_filter,
            "tag": event.tag_filter,
        },
        "ltime": event.ltime,
        "seen_at": _moment(event.seen_at),
        "test": occasion.is_test,
    }


def program_input(occasion: Occasion) -> dict[str, Any]:
    """The event in the form in which `consul watch -type event` tells of one, and its cluster."""
    event = occasion.event
    return {
        "ID": event.event_id,
        "Name": event.name,
        # Consul's own word for none.
        "Payload": _base64(event) if event.bytes else None,
        "NodeFilter": event.node_filter,
        "ServiceFilter": event.service_filter,
        "TagFilter": event.tag_filter,
        "Version": event.version,
        "LTime": event.ltime,
        "Cluster": occasion.cluster,
    }


def _base64(event: Event) -> str:
    return base64.b64encode(event.bytes).decode()


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

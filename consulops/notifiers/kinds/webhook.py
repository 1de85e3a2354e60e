"""One HTTP request per message, with the message as JSON."""

from __future__ import annotations

import json
from typing import ClassVar

import aiohttp
from django import forms

from consulops.notifiers import signing, tls
from consulops.notifiers.base import AsyncKind, Message
from consulops.notifiers.fields import CertificateField, HeadersField, WebAddressField
from consulops.notifiers.http import exchange


class Webhook(AsyncKind):
    """Sends the documented JSON body anywhere, signed when a secret is set.

    The signature is the hex HMAC-SHA256 of the raw body under the secret.
    """

    name = "webhook"
    label = "Webhook"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Address", max_length=2000, help_text="For example https://example.org/hook."
        ),
        "method": forms.ChoiceField(choices=[("POST", "POST"), ("PUT", "PUT")], initial="POST"),
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
        "verify_tls": forms.BooleanField(
            label="Verify the server's certificate", required=False, initial=True
        ),
        "ca_certificate": CertificateField(
            label="CA certificate",
            required=False,
            help_text="PEM; for a server whose authority this machine does not know.",
        ),
    }
    secret_fields = frozenset({"headers", "secret"})

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        body = json.dumps(message.to_dict(), ensure_ascii=False).encode("utf-8", "replace")
        return await exchange(
            http,
            self.config["url"],
            method=self.config["method"],
            data=body,
            headers=self._headers(message, body),
            ssl=tls.context(bool(self.config["verify_tls"]), self.config["ca_certificate"] or ""),
        )

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {
            **(self.config["headers"] or {}),
            "Content-Type": "application/json",
            "Idempotency-Key": message.id,
        }
        if self.config["secret"]:
            headers[signing.SIGNATURE] = signing.signature(self.config["secret"], body)
        return headers

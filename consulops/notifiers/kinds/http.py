"""One HTTP request per message as its receiver wants it: method, headers, sign-in and body."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import aiohttp
from django import forms
from django.core.exceptions import ValidationError

from consulops.notifiers import signing, tls
from consulops.notifiers.answers import classify, describe
from consulops.notifiers.base import AsyncKind, Message, SendError
from consulops.notifiers.fields import HeadersField, WebAddressField
from consulops.notifiers.http import read_some

log = logging.getLogger(__name__)

_METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")
# Without a template of its own such a request has no body.
_WITHOUT_BODY = frozenset({"GET", "DELETE"})
_CODES = re.compile(r"([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?")
_MEDIA_TYPE = re.compile(r"^[\w!#$&^.+-]+/[\w!#$&^.+-]+( *; *[\w-]+=[\w\"./+-]+)*\Z", re.ASCII)
_HIDDEN = "•••"


class StatusCodesField(forms.CharField):
    """Status codes and ranges of them: `200, 202-204, 409`."""

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).strip()
        for word in filter(None, re.split(r"[\s,]+", text.replace(" - ", "-"))):
            found = _CODES.fullmatch(word)
            if not found or int(found[2] or found[1]) < int(found[1]):
                raise ValidationError(f"“{word}” is no status code; write 200, 202-204.")
        return text


class Http(AsyncKind):
    """Sends any body anywhere; without a template the body is that of a webhook."""

    name = "http"
    label = "HTTP request"
    group = "Programmable"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(label="Address", max_length=2000),
        "method": forms.ChoiceField(choices=[(one, one) for one in _METHODS], initial="POST"),
        "headers": HeadersField(
            required=False, help_text="One “Name: value” a line, or a JSON object."
        ),
        "authentication": forms.ChoiceField(
            choices=[
                ("none", "None"),
                ("basic", "User name and password"),
                ("bearer", "Bearer token"),
            ],
            initial="none",
        ),
        "username": forms.CharField(label="User name", required=False, max_length=255),
        "password": forms.CharField(required=False, max_length=500, strip=False),
        "token": forms.CharField(label="Bearer token", required=False, max_length=5000),
        "content_type": forms.RegexField(
            _MEDIA_TYPE,
            max_length=200,
            initial="application/json",
            help_text="With a JSON type the body must be JSON: write |tojson behind each value.",
        ),
        "accepted": StatusCodesField(
            label="Status codes that mean taken",
            required=False,
            max_length=200,
            help_text="For example 200, 202-204, 409. Empty: any 2xx.",
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
    secret_fields = frozenset({"headers", "password", "token", "secret"})
    templated = ("body",)

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        chosen = config.get("authentication")
        needed = {"basic": ("username", "password"), "bearer": ("token",)}.get(str(chosen), ())
        found = {one: ["This authentication needs it."] for one in needed if not config.get(one)}
        names = {name.lower() for name in config.get("headers") or {}}
        if needed and "authorization" in names:
            found["headers"] = ["“Authorization” is set by the authentication below."]
        if ":" in str(config.get("username") or ""):
            found["username"] = ["A user name cannot have a colon here."]
        return found

    @classmethod
    def body_problem(cls, config: Mapping[str, Any], body: str) -> str:
        media = str(config.get("content_type") or "").partition(";")[0].strip().lower()
        if media != "application/json" and not media.endswith("+json"):
            return ""
        try:
            json.loads(body)
        except ValueError as error:
            return f"The body is no JSON: {error}. Write |tojson behind each value."
        except RecursionError:
            return "The body is JSON that is nested too deeply."
        return ""

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        body = self._body(message)
        async with http.request(
            self.config["method"],
            self.config["url"],
            data=body,
            headers=self._headers(message, body),
            ssl=tls.chosen(self.config),
            allow_redirects=False,
        ) as answer:
            text = self._hide(await read_some(answer))
            self._refuse(answer.status, answer.headers, text)
            return describe(answer.status, text)

    def _body(self, message: Message) -> bytes | None:
        default = json.dumps(message.to_dict(), ensure_ascii=False)
        body = self.body(message, default)
        problem = self.body_problem(self.config, body)
        if problem:
            # The samples did not show it. Told in other words is better than not at all.
            log.warning("a template failed: %s", problem)
            body = default
        if body is default and self.config["method"] in _WITHOUT_BODY:
            return None
        return body.encode("utf-8", "replace")

    def _headers(self, message: Message, body: bytes | None) -> dict[str, str]:
        headers = {**(self.config["headers"] or {}), "Idempotency-Key": message.id}
        if self._authorization:
            headers["Authorization"] = self._authorization
        if body is not None:
            headers["Content-Type"] = self.config["content_type"]
        if self.config["secret"]:
            headers[signing.SIGNATURE] = signing.signature(self.config["secret"], body or b"")
        return headers

    @property
    def _authorization(self) -> str:
        match self.config["authentication"]:
            case "basic":
                return signing.basic(self.config["username"], self.config["password"])
            case "bearer":
                return f"Bearer {self.config['token']}"
        return ""

    def _hide(self, text: str) -> str:
        """The answer without the password in the form in which it was sent."""
        encoded = self._authorization.partition(" ")[2]
        return text.replace(encoded, _HIDDEN) if encoded else text

    def _refuse(self, status: int, headers: Mapping[str, str], text: str) -> None:
        """Raises SendError unless the receiver took the message."""
        if not self.config["accepted"]:
            error = classify(status, headers, text)
        elif _accepts(self.config["accepted"], status):
            error = None
        else:
            # An unexpected 2xx will be the same again, and may have done something.
            unexpected = SendError(f"{describe(status, text)} (not accepted)", permanent=True)
            error = classify(status, headers, text) or unexpected
        if error:
            raise error


def _accepts(codes: str, status: int) -> bool:
    return any(
        int(found[1]) <= status <= int(found[2] or found[1]) for found in _CODES.finditer(codes)
    )

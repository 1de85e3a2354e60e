"""Form fields that several kinds of notifiers declare; their cleaned values fit into JSON."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]")
_NO_ADDRESS = "Enter an address that begins with http:// or https:// and names a host."
_NO_USER = "Leave user and password out of the address; put them in a header."
_SET_BY_US = frozenset(
    {"content-length", "content-type", "host", "idempotency-key", "transfer-encoding"}
)


class WebAddressField(forms.CharField):
    """An http or https address; a bare host name or a private address is as good as any."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text in self.empty_values:
            return text
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValidationError(_NO_ADDRESS) from None
        odd = _SPACE_OR_CONTROL.search(text) or port == 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or odd:
            raise ValidationError(_NO_ADDRESS)
        if parts.username is not None or parts.password is not None:
            raise ValidationError(_NO_USER)
        return text


class HeadersField(forms.CharField):
    """HTTP headers, as lines `Name: value` or as a JSON object; cleaned to a dict."""

    widget = forms.Textarea
    # In a file of settings it may also be a mapping.
    takes_collections = True

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(name): str(text) for name, text in value.items()}
        text = str(value or "").strip()
        return _from_json(text) if text.startswith("{") else _from_lines(text)

    def validate(self, value: Any) -> None:
        super().validate(value)
        for name, text in value.items():
            if not _TOKEN.fullmatch(name):
                raise ValidationError(f"“{name}” is not the name of a header.")
            if name.lower() in _SET_BY_US:
                raise ValidationError(f"“{name}” is set by ConsulOps.")
            if not text.isprintable():
                raise ValidationError(f"The value of “{name}” has characters no header may have.")

    def run_validators(self, value: Any) -> None:
        """Those of a text do not apply to a dict."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(f"{name}: {text}" for name, text in value.items())
        return value


class RecipientsField(forms.CharField):
    """E-mail addresses, one a line or separated by commas; cleaned to a list."""

    widget = forms.Textarea
    # In a file of settings it may also be a list.
    takes_collections = True

    def to_python(self, value: Any) -> Any:
        words = value if isinstance(value, list) else re.split(r"[\s,;]+", str(value or ""))
        return list(dict.fromkeys(mail_address(str(word)) for word in words if word))

    def run_validators(self, value: Any) -> None:
        """Those of a text do not apply to a list; each address was validated on its way in."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class LinesField(forms.CharField):
    """Texts, one a line, blanks and all; cleaned to a list."""

    widget = forms.Textarea
    # In a file of settings it may also be a list.
    takes_collections = True

    def to_python(self, value: Any) -> Any:
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        return [str(line) for line in lines if str(line)]

    def validate(self, value: Any) -> None:
        super().validate(value)
        if any("\0" in line or "\n" in line for line in value):
            raise ValidationError("An argument cannot hold a line break or a NUL.")

    def run_validators(self, value: Any) -> None:
        """Those of a text do not apply to a list."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class MailAddressField(forms.CharField):
    """One e-mail address, its domain in the form that goes over the wire."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return mail_address(text) if text else text


class CertificateField(forms.CharField):
    """Certificates of authorities, in PEM."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text:
            try:
                ssl.create_default_context(cadata=text)
            except (ssl.SSLError, ValueError):
                raise ValidationError("This is not a certificate in PEM format.") from None
        return text


def mail_address(text: str) -> str:
    """The address with its domain in ASCII. Raises ValidationError when it is none."""
    text = text.strip()
    try:
        validate_email(text)
        user, _, domain = text.rpartition("@")
        return f"{user}@{domain.encode('idna').decode()}"
    except (ValidationError, UnicodeError):
        raise ValidationError(f"“{text}” is not an e-mail address.") from None


def _from_json(text: str) -> dict[str, str]:
    try:
        loaded = json.loads(text)
    except ValueError:
        raise ValidationError("This begins like JSON but is not.") from None
    if not all(isinstance(value, str) for value in loaded.values()):
        raise ValidationError("Each header's value must be a text.")
    return dict(loaded)


def _from_lines(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            # The line itself stays out of the message: it may hold a secret.
            raise ValidationError(f"Line {number} has no colon; write “Name: value”.")
        headers[name.strip()] = value.strip()
    return headers

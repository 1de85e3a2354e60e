"""The hundred other places that the library Apprise can tell, each by an address of its own."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar
from urllib.parse import unquote

import apprise
from apprise.plugins import url_to_dict
from django import forms
from django.core.exceptions import ValidationError

from consulops.notifiers import text
from consulops.notifiers.answers import classify, excerpt
from consulops.notifiers.base import AlertFacts, BlockingKind, Message, SendError
from consulops.notifiers.text import Room

# Their messages go nowhere but to this machine, or they read files of it.
_LOCAL = frozenset(
    {
        "blink1",
        "dbus",
        "fcm",
        "gio",
        "glib",
        "gnome",
        "kde",
        "macosx",
        "qt",
        "syslog",
        "vapid",
        "windows",
    }
)
# Parameters that name a file to read; what `template` is depends on the service.
_FILES = frozenset({"keyfile", "pgp", "pgppub", "pgpprv", "subfile"})
_TEMPLATE_IS_FILE = frozenset({"discord", "tgram", "workflow", "workflows"})
_MOST_TEXT = 10_000
_SHORTEST_SECRET = 5
_HIDDEN = "•••"
# How the library's services say what the server answered.
_STATUS = re.compile(r"\berror=(\d{3})\b")

# Their log lines name addresses. What matters of them becomes the error of a message.
for _log in map(logging.getLogger, ("apprise", "urllib3")):
    _log.addHandler(logging.NullHandler())
    _log.propagate = False


class AppriseAddressField(forms.CharField):
    """One address that the library knows, and that has nothing to do with this machine."""

    def clean(self, value: Any) -> Any:
        url = super().clean(value)
        parts = url_to_dict(url)  # type: ignore[no-untyped-call]  # the library leaves it so
        if parts is None:
            raise ValidationError("Apprise knows no service with such an address.")
        scheme = parts["schema"]
        if scheme in _LOCAL:
            raise ValidationError(f"{scheme}:// would act on this machine or read its files.")
        files = _FILES | ({"template"} if scheme in _TEMPLATE_IS_FILE else set())
        found = sorted(files & parts["qsd"].keys())
        if found:
            raise ValidationError(f"“{found[0]}” would read a file of this machine.")
        if _service(url) is None:
            raise ValidationError(f"Apprise cannot use this address of {scheme}://.")
        return url


class Apprise(BlockingKind):
    """Sends title and text through the library, in the thread that it was given."""

    name = "apprise"
    label = "Apprise address"
    group = "Mail & push"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": AppriseAddressField(
            label="Address",
            max_length=4000,
            help_text="As appriseit.com/services describes it, for example pover://user@token.",
        ),
    }
    secret_fields = frozenset({"url"})
    templated = ("subject", "body")

    def send(self, message: Message, timeout_s: float) -> str:
        service = _service(self.config["url"])
        if service is None:
            raise SendError("Apprise cannot use the address.", permanent=True)
        service.socket_connect_timeout = service.socket_read_timeout = timeout_s
        # What the address may ask for and the courier does: no redirects, no tries of its own.
        service.redirects, service.retry = False, 0
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
        library = apprise.Apprise(asset=_asset())
        library.add(service)
        started = time.monotonic()
        result = library.notify(
            title=text.tame(text.heading(message, self.wording)),
            body=self._body(message, min(service.body_maxlen, _MOST_TEXT)),
            notify_type=_type(message),
            body_format=apprise.NotifyFormat.TEXT,
        )
        if result:
            return f"Accepted by {service.service_name}"
        if time.monotonic() - started >= timeout_s:
            raise TimeoutError
        raise explain([entry.message for entry in result.logs()], self.config["url"])

    def _body(self, message: Message, most: int) -> str:
        own = self.body(message, "")
        if own:
            return text.tame(text.clip(own, most, most_lines=200))
        return text.fit(lambda room: text.tame(_text(message, room)), len, most)


def explain(lines: Iterable[str], url: str) -> SendError:
    """What the library said, without any part of the address in it."""
    said = " ".join(lines)
    found = _STATUS.search(said)
    status = int(found[1]) if found else 0
    error = classify(status, {}, "") if found else None
    if error and 300 <= status < 400:
        return error
    parts = re.split(r"[/:@?&=#,;+\s]+", f"{url} {unquote(url)}")
    for part in sorted(set(parts), key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            said = said.replace(part, _HIDDEN)
    words = excerpt(said) or "the message was not taken."
    return SendError(f"Apprise: {words}", permanent=error is not None and error.permanent)


@cache
def _asset() -> apprise.AppriseAsset:
    """How the library is to behave: nothing on disk, no plugins, no threads of its own."""
    return apprise.AppriseAsset(
        storage_mode="memory",
        service_timeout=0,
        allow_templates=False,
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
    )


def _service(url: str) -> Any:
    return apprise.Apprise.instantiate(url, asset=_asset())


def _type(message: Message) -> apprise.NotifyType:
    worst = message.worst_first()[0]
    if worst.is_resolved:
        return apprise.NotifyType.SUCCESS
    return {
        "critical": apprise.NotifyType.FAILURE,
        "warning": apprise.NotifyType.WARNING,
    }.get(worst.status, apprise.NotifyType.INFO)


def _text(message: Message, room: Room) -> str:
    alerts = message.worst_first()
    parts = [_alert(alert, room) for alert in alerts[: room.alerts]]
    parts += filter(None, [text.rest(alerts[room.alerts :])])
    return "\n\n".join([*parts, text.source(message)])


def _alert(alert: AlertFacts, room: Room) -> str:
    lines = (text.title(alert), text.since(alert), text.output(alert, room.output), alert.url)
    return "\n".join(line for line in lines if line)

"""A file on the machine that sends: one line per alert, for people and for log shippers."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, BlockingKind, Message, SendError

# JSON leaves these as they are, but editors and terminals obey them.
_CONTROL = re.compile(r"[\x7f-\x9f\u2028\u2029]")
_MOST_OUTPUT = 2000
_MOST_LINE = 10_000


def folder() -> Path:
    """Where all logs of notifiers lie."""
    return Path(settings.DATA) / "notifications"


def resolve(path: str) -> Path:
    """The file that is meant. Raises ValidationError if it lies outside of the folder."""
    inside = folder().resolve()
    try:
        full = (inside / path).resolve()
    except (OSError, ValueError, RuntimeError):
        raise ValidationError("This is not the name of a file.") from None
    if full == inside or not full.is_relative_to(inside):
        raise ValidationError(f"The file must lie in {inside}.")
    return full


class LogPathField(forms.CharField):
    """A file in the folder of logs, never elsewhere."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        resolve(text)
        return text


class Log(BlockingKind):
    """Appends to a file that is opened for each message, so that it may be rotated away."""

    name = "log"
    label = "Log file"
    fields: ClassVar[dict[str, forms.Field]] = {
        "path": LogPathField(
            label="File",
            initial="alerts.log",
            max_length=500,
            help_text="In the folder “notifications” of the data folder.",
        ),
        "format": forms.ChoiceField(
            choices=[
                ("json", "JSON, one object a line"),
                ("text", "Text"),
                ("consul-alerts", "The line of consul-alerts"),
            ],
            initial="json",
        ),
    }

    templated = ("body",)

    def send(self, message: Message, timeout_s: float) -> str:
        try:
            path = resolve(self.config["path"])
        except ValidationError as error:
            # A symbolic link may have come between the form and now.
            raise SendError(str(error.message), permanent=True) from None
        lines = _lines(self.body(message, "")) or self._default(message)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link that came in the instant since `resolve` is an error, not a way out.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o640), "ab") as file:
            begin = _ends_half_a_line(path, os.fstat(file.fileno()).st_size)
            text = begin + "".join(f"{line}\n" for line in lines)
            file.write(text.encode("utf-8", "replace"))
        written = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        return f"{written} written to {path.name}"

    def _default(self, message: Message) -> list[str]:
        """One line per alert in the form of the settings."""
        form, now = _FORMS[self.config["format"]], datetime.now(UTC)
        return [form(message, alert, now) for alert in message.worst_first()]


def _ends_half_a_line(path: Path, size: int) -> str:
    """A line end, when the last write broke off as the disk was full; else nothing."""
    if not size:
        return ""
    with path.open("rb") as file:
        file.seek(size - 1)
        return "" if file.read(1) == b"\n" else "\n"


def _lines(own: str) -> list[str]:
    """The lines of people's own words, without what terminals obey."""
    return [excerpt(line, _MOST_LINE) for line in own.splitlines() if line.strip()]


def _json_line(message: Message, alert: AlertFacts, now: datetime) -> str:
    line = {
        "time": now.isoformat(timespec="milliseconds"),
        "delivery": message.id,
        "reason": message.reason,
        "cluster": message.cluster,
        "route": message.route,
        **alert.to_dict(),
    }
    text = json.dumps(line, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _text_line(message: Message, alert: AlertFacts, now: datetime) -> str:
    title = excerpt(f"{message.cluster} {message.reason} {alert.title}")
    output = excerpt(alert.output, _MOST_OUTPUT)
    return f"{now.isoformat(timespec='milliseconds')} {title}" + (f" | {output}" if output else "")


def _consul_alerts_line(message: Message, alert: AlertFacts, now: datetime) -> str:
    """What log watchers that were made for consul-alerts look for."""
    facts = {
        "Node": alert.node,
        "Service": alert.service,
        "Check": alert.name or alert.check,
        "Status": alert.status,
    }
    said = ", ".join(f"{name}={value}" for name, value in facts.items())
    return f"[consul-notifier] {now:%Y/%m/%d %H:%M:%S} {excerpt(said)}"


_FORMS = {"json": _json_line, "text": _text_line, "consul-alerts": _consul_alerts_line}

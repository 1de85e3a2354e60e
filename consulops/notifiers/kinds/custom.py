"""A program of people's own from the allowed folder; it gets the message on standard input."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any, ClassVar

import aiohttp
from django import forms
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString

from consulops.notifiers import executables
from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, AsyncKind, Message, SendError
from consulops.notifiers.fields import LinesField

# sysexits.h: what is wrong with the call itself stays wrong …
_PERMANENT = frozenset(range(64, 79)) - {
    69,  # … but a service may come back,
    71,  # the machine may recover,
    74,  # a disk may be freed,
    75,  # and this one asks for another try.
}
# consul-alerts knows only these; what is neither must not look like a recovery.
_STATUS = {"passing": "passing", "gone": "passing", "warning": "warning"}
_NEVER = "0001-01-01T00:00:00Z"


def _choices() -> list[tuple[str, str]]:
    return [(name, name) for name in executables.available()]


def _help() -> SafeString:
    """What the folder is, and what is to be done when nothing in it can be run."""
    folder, refused = executables.folder(), executables.refused().values()
    if executables.available():
        text = format_html("From the folder <code>{}</code>.", folder)
    else:
        text = format_html(
            "There is no program yet: whoever runs this machine puts one into the folder "
            "<code>{}</code> and makes it executable (chmod 755).",
            folder,
        )
    return format_html("{} {}", text, " ".join(refused)) if refused else text


class Custom(AsyncKind):
    """Runs the program once per message; it is killed with its children at the timeout."""

    name = "custom"
    label = "Program"
    group = "Programmable"
    fields: ClassVar[dict[str, forms.Field]] = {
        "executable": forms.ChoiceField(
            label="Program",
            choices=_choices,
            # As it is when the page is shown: a program may come while we run.
            help_text=lazy(_help, str)(),
        ),
        "arguments": LinesField(required=False, help_text="One a line; no shell looks at them."),
        "format": forms.ChoiceField(
            label="Standard input",
            choices=[
                ("consulops", "ConsulOps: the body of a webhook"),
                ("consul-alerts", "consul-alerts: an array of its messages"),
            ],
            initial="consulops",
        ),
    }

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        body = _FORMATS[self.config["format"]](message)
        try:
            outcome = await executables.run_async(
                self.config["executable"],
                self.config["arguments"] or [],
                json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
                timeout_s,
            )
        except executables.NotAllowed as error:
            raise SendError(str(error), permanent=True) from None
        if outcome.timed_out:
            raise TimeoutError
        text = _said(outcome)
        if outcome.exit_code:
            raise SendError(text, permanent=outcome.exit_code in _PERMANENT)
        return text


def _said(outcome: executables.Outcome) -> str:
    code = outcome.exit_code
    what = f"Exit code {code}" if code >= 0 else f"Ended by signal {-code}"
    output = excerpt(outcome.output)
    return f"{what}: {output}" if output else what


def _consul_alerts(message: Message) -> list[dict[str, Any]]:
    """The messages as consul-alerts gives them to its custom notifiers, but for its secrets."""
    return [_consul_alerts_message(alert) for alert in message.worst_first()]


def _consul_alerts_message(alert: AlertFacts) -> dict[str, Any]:
    return {
        "Node": alert.node,
        "ServiceId": alert.service_id,
        "Service": alert.service,
        "CheckId": alert.check,
        "Check": alert.name,
        "Status": _STATUS.get(alert.status, "critical"),
        "Output": alert.output,
        "Notes": "",
        "Interval": 0,
        "RmdCheck": _NEVER,
        "NotifList": None,
        "VarOverrides": None,
        "Timestamp": alert.since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


_FORMATS = {"consulops": Message.to_dict, "consul-alerts": _consul_alerts}

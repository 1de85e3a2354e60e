"""Made-up messages on which templates are tried when they are saved, and shown before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from consulops.notifiers.base import AlertFacts, Kind, Message
from consulops.notifiers.wording import BadTemplate, Wording, render

FIELDS = {"subject": "subject_template", "body": "body_template"}
_ONE = AlertFacts(
    id=12,
    url="https://consulops.example/alerts/12/",
    check="service:web-1",
    status="critical",
    previous="passing",
    node="node-1",
    service="web",
    service_id="web-1",
    name="HTTP on port 8080",
    # What a real check says is not always one line, and rarely fit for JSON as it is.
    output='Get "http://10.0.0.1:8080/health": connection refused\n<b>503</b> & more\\n',
    tags=["blue", "v2"],
    since=datetime(2026, 1, 5, 3, 12, 45, 500_000, tzinfo=UTC),
    cluster="example",
)
_OTHERS = (
    replace(_ONE, id=13, node="node-2", service_id="web-2", check="service:web-2"),
    replace(_ONE, id=14, status="warning", previous="critical", output="slow: 2.1 s", tags=[]),
    replace(_ONE, id=15, status="passing", previous="critical", node="node-3"),
)
_OF_A_NODE = replace(
    _ONE, id=16, service="", service_id="", name="", check="mem", output="", tags=[], previous=""
)


def _message(reason: str, *alerts: AlertFacts, route: str = "everything") -> Message:
    return Message("00000000-0000-4000-8000-000000000000", reason, "example", route, alerts)


# By the words that people see.
SAMPLES: Mapping[str, Message] = MappingProxyType(
    {
        "One alert": _message("opened", _ONE),
        "Several alerts": _message("changed", _ONE, *_OTHERS),
        "A recovery": _message("resolved", replace(_ONE, status="passing", previous="critical")),
        "A node's check without output": _message("reminder", _OF_A_NODE),
        "A test message": _message("test", _ONE, route=""),
    }
)


def problems(kind: type[Kind], config: Mapping[str, Any], wording: Wording) -> dict[str, list[str]]:
    """What is wrong with the templates of a notifier, by field: each is tried on every sample."""
    found: dict[str, list[str]] = {}
    for part, template in (("subject", wording.subject), ("body", wording.body)):
        if not template.strip():
            continue
        if part not in kind.templated:
            found[FIELDS[part]] = [f"A notifier of the kind {kind.name} takes no {part} template."]
        elif text := _problem(kind, config, part, template):
            found[FIELDS[part]] = [text]
    return found


def _problem(kind: type[Kind], config: Mapping[str, Any], part: str, template: str) -> str:
    for name, message in SAMPLES.items():
        try:
            made = render(template, message)
        except BadTemplate as error:
            return f"{error} (Tried with: {name.lower()}.)"
        text = kind.body_problem(config, made) if part == "body" else ""
        if text:
            return f"{text} (Tried with: {name.lower()}.)"
    return ""

"""What the templates in a form make of a message, before anything is saved or sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consulops.notifiers.base import Kind, Message
from consulops.notifiers.wording import BadTemplate, Wording, render

# More of a text than anybody looks at; the message itself is sent whole.
_MOST_SHOWN = 20_000


@dataclass(frozen=True, slots=True)
class Part:
    """The subject or the body: its text, or what is wrong, or neither without a template."""

    label: str
    text: str = ""
    wrong: str = ""


def preview(
    kind: type[Kind], config: Mapping[str, Any], wording: Wording, message: Message
) -> list[Part]:
    """Each part that this kind lets people word, as it would be sent."""
    templates = {"subject": wording.subject, "body": wording.body}
    return [_part(kind, config, part, templates[part], message) for part in kind.templated]


def _part(
    kind: type[Kind], config: Mapping[str, Any], part: str, template: str, message: Message
) -> Part:
    label = part.capitalize()
    if not template:
        return Part(label)
    try:
        text = render(template, message)
    except BadTemplate as error:
        return Part(label, wrong=str(error))
    if part == "subject":
        return Part(label, " ".join(text.split()))
    return Part(label, text[:_MOST_SHOWN], kind.body_problem(config, text))

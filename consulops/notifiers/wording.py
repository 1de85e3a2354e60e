"""Subject and body of messages as people word them: sandboxed templates, tried when saved."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from consulops.notifiers.base import Message

log = logging.getLogger(__name__)

# No receiver takes more, and no template may fill the memory.
LONGEST = 100_000

_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True)


class BadTemplate(Exception):
    """A template that cannot be used, and why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The templates of one notifier; an empty one leaves the kind's own words."""

    subject: str = ""
    body: str = ""

    def subject_of(self, message: Message, default: str) -> str:
        """The subject on one line."""
        return " ".join(_said(self.subject, message, default).split())

    def body_of(self, message: Message, default: str) -> str:
        return _said(self.body, message, default)


PLAIN = Wording()


def render(template: str, message: Message) -> str:
    """What the template makes of the message. Raises BadTemplate."""
    try:
        return _compiled(template).render(values(message))[:LONGEST]
    except BadTemplate:
        raise
    # A template may do anything that an expression can: divide by zero, index beyond an end.
    except Exception as error:
        raise BadTemplate(f"{type(error).__name__}: {error}") from error


def values(message: Message) -> dict[str, Any]:
    """The names that a template may use."""
    return {
        "message": message,
        "alerts": message.worst_first(),
        "alert": message.worst_first()[0] if message.alerts else None,
        "cluster": message.cluster,
        "route": message.route,
        "reason": message.reason,
        "title": message.title(),
        "counts": message.counts(),
    }


def _said(template: str, message: Message, default: str) -> str:
    if not template:
        return default
    try:
        return render(template, message)
    except BadTemplate as error:
        # Somebody must be told, in other words rather than not at all.
        log.warning("a template failed: %s", error)
        return default


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    try:
        return _environment.from_string(template)
    except TemplateError as error:
        raise BadTemplate(str(error)) from error

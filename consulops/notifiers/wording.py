"""Subject and body of messages as people word them: sandboxed templates, tried when saved."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import Template, TemplateSyntaxError

from consulops.notifiers import sandbox
from consulops.notifiers.filters import TooMuch

if TYPE_CHECKING:
    from consulops.notifiers.base import Message

log = logging.getLogger(__name__)

_ALERT = "consulops.notifiers.base.AlertFacts"
NAMES = ("alerts", "alert", "cluster", "route", "reason", "title", "counts", "message")

_environment = sandbox.Sandbox()


class BadTemplate(Exception):
    """A template that cannot be used, and why, in one sentence; `line` is 0 when nobody knows."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(f"Line {line}: {text}" if line else text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Wording:
    """The templates of one notifier; an empty one leaves the kind's own words."""

    subject: str = ""
    body: str = ""

    def subject_of(self, message: Message, default: str) -> str:
        """The subject on one line."""
        return " ".join(_said(self.subject, message, default).split())

    def body_of(self, message: Message, default: str) -> str:
        """The body; the default when there is no template, or when it fails."""
        return _said(self.body, message, default)


PLAIN = Wording()


def render(template: str, message: Message) -> str:
    """What the template makes of the message. Raises BadTemplate."""
    compiled = _compiled(template)
    try:
        return sandbox.render(compiled, values(message))
    except TooMuch as error:
        raise BadTemplate(f"The template was stopped: {error}.", _line(error)) from None
    # A template may do anything that an expression can: divide by zero, index beyond an end.
    except Exception as error:
        raise BadTemplate(_sentence(error), _line(error)) from None


def values(message: Message) -> dict[str, Any]:
    """The names that a template may use."""
    worst_first = message.worst_first()
    return {
        "message": message,
        "alerts": worst_first,
        "alert": worst_first[0] if worst_first else None,
        "cluster": message.cluster,
        "route": message.route,
        "reason": message.reason,
        "title": message.title(),
        "counts": message.counts(),
    }


def _said(template: str, message: Message, default: str) -> str:
    if not template.strip():
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
    except TemplateSyntaxError as error:
        raise BadTemplate(_capital(error.message or "bad syntax"), error.lineno) from None
    # Python's own limits: too many loops in each other, too many brackets.
    except (RecursionError, MemoryError, SyntaxError):
        raise BadTemplate("The template is nested too deeply.") from None


def _sentence(error: Exception) -> str:
    said = str(error).replace(f"'{_ALERT} object'", "an alert").replace(f"'{_ALERT}'", "an alert")
    if said.endswith(" is undefined"):
        said += f"; there are {', '.join(NAMES)}"
    if isinstance(error, ArithmeticError | LookupError | ValueError | TypeError):
        said = f"{type(error).__name__}: {said}"
    return _capital(said or type(error).__name__)


def _capital(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _line(error: Exception) -> int:
    """The line of the template where it happened."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>"]
    return (lines[-1] or 0) if lines else 0

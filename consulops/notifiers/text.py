"""What the chats share: how to say a message where only so much fits, and nothing breaks out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from consulops.core import status
from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.wording import Wording

MOST_TITLE = 150
_MOST_LINES = 12
# Invisible, and the end of every mark and name: what stands after it is read as plain text.
GAP = "\u200b"
# Where a mention or a link begins, for those that read no escapes.
_TEMPTING = re.compile(r"[@<]|:(?=//)|\](?=\()|(?i:\bwww(?=\.))")
_MARKS = re.compile(r"([\\`*_\[\]()#|~>])")

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a message is said: so many alerts, so many characters of each output."""

    alerts: int
    output: int


# From what is good to read on a phone down to what fits anywhere.
ROOMS = (*(Room(20, output) for output in (600, 200, 60, 0)), Room(8, 0), Room(3, 0), Room(1, 0))


def fit(build: Callable[[Room], Made], size: Callable[[Made], int], most: int) -> Made:
    """The fullest form of a message that its receiver takes; the last form always fits."""
    for room in ROOMS[:-1]:
        made = build(room)
        if size(made) <= most:
            return made
    return build(ROOMS[-1])


def heading(message: Message, wording: Wording) -> str:
    """The notifier's own subject, or the title with the number of alerts in each state."""
    title = message.title()
    if len(message.alerts) > 1:
        title += f": {message.counts()}"
    return excerpt(wording.subject_of(message, title), MOST_TITLE)


def title(alert: AlertFacts) -> str:
    """The alert in one line."""
    return excerpt(alert.title, MOST_TITLE)


def since(alert: AlertFacts) -> str:
    return f"since {alert.since:%Y-%m-%d %H:%M:%S %Z}"


def output(alert: AlertFacts, most: int, most_lines: int = _MOST_LINES) -> str:
    """The first lines of the check's output, without control characters; may be empty."""
    return clip(alert.output, most, most_lines) if most else ""


def clip(text: str, most: int, most_lines: int = _MOST_LINES) -> str:
    """The first lines of a text, each on its own, cut with an ellipsis."""
    lines = text.strip().splitlines()
    clean = "\n".join(excerpt(line, most) for line in lines[:most_lines]).strip()
    if len(lines) > most_lines:
        clean += "\n…"
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def rest(alerts: Sequence[AlertFacts]) -> str:
    """What is said of the alerts for which there is no room: `… and 80 more: 80 warning`."""
    left = Message(id="", reason="", cluster="", route="", alerts=tuple(alerts))
    return f"… and {len(alerts)} more: {left.counts()}" if alerts else ""


def source(message: Message) -> str:
    """Where the message comes from."""
    route = f" · route {message.route}" if message.route else ""
    return excerpt(f"Cluster {message.cluster}{route}", MOST_TITLE)


def colour(alert: AlertFacts) -> str:
    """The colour of the alert's state, as on our pages: `#c92a2a`."""
    return status.LOOKS[status.parse(alert.status)].light


def tame(text: str) -> str:
    """The text in which nothing mentions anybody and no address becomes a link by itself."""
    return _TEMPTING.sub(lambda found: found[0] + GAP, text)


def markdown(text: str) -> str:
    """The text for a place where Markdown is read: shown as it is."""
    return _MARKS.sub(r"\\\1", tame(text))


def code_block(text: str) -> str:
    """The text as a block of code that it cannot end; empty for an empty text."""
    safe = re.sub("[`@<]", lambda found: found[0] + GAP, text)
    return f"```\n{safe}\n```" if text else ""

"""A message as a letter: the whole of it in plain text, for mail and whatever is read like it."""

from __future__ import annotations

from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, Message

_MOST_OUTPUT = 4000
_MOST_LINE = 1000


def text_body(message: Message) -> str:
    """The whole message as text, worst alert first."""
    parts = []
    for alert in message.worst_first():
        lines = [excerpt(alert.title), facts_of(alert), alert.url]
        if alert.output.strip():
            lines += ["", *(f"    {line}" for line in output_of(alert).splitlines())]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, f"-- \n{footer(message)}"]) + "\n"


def facts_of(alert: AlertFacts) -> str:
    """What it was before, since when, and which check."""
    was = f"was {alert.previous}, " if alert.previous else ""
    return excerpt(f"{was}since {alert.since:%Y-%m-%d %H:%M:%S %Z}, check {alert.check}")


def output_of(alert: AlertFacts) -> str:
    """The check's output, cut, without control characters."""
    lines = alert.output[:_MOST_OUTPUT].splitlines()
    return "\n".join(excerpt(line, _MOST_LINE) for line in lines)


def footer(message: Message) -> str:
    """Who says it: cluster, route, reason."""
    route = f", route {message.route}" if message.route else ""
    return excerpt(f"ConsulOps, cluster {message.cluster}{route}, {message.reason}")

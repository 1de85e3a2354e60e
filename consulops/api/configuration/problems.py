"""What is wrong with a file, each with its place: `routes[0].match.status[1]: ...`."""

from __future__ import annotations

from collections.abc import Iterable


class BadFile(Exception):
    """The file cannot be applied; `problems` holds all that is wrong, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def path(*parts: str | int) -> str:
    """The place in words of the file: names are joined by dots, positions stand in brackets."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def problem(place: Iterable[str | int], text: str) -> str:
    """One line; without a place it is about the whole file."""
    where = path(*place)
    return f"{where}: {text}" if where else text

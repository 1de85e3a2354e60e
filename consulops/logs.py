"""How log lines look: one line an event, for eyes or for machines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any


class TextFormatter(logging.Formatter):
    """`12:30:01 watch  INFO    loops: took the lease of checks:3`."""

    def __init__(self, process: str = "") -> None:
        label = f"{process:<6} " if process else ""
        super().__init__(
            f"%(asctime)s {label}%(levelname)-7s %(short_name)s: %(message)s",
            "%H:%M:%S",
        )

    def format(self, record: logging.LogRecord) -> str:
        record.short_name = record.name.removeprefix("consulops.")
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the exception's text when there is one."""

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configuration(level: str, style: str, process: str) -> dict[str, Any]:
    """The logging dictionary: everything to standard error, libraries only when they warn."""
    formatter = JsonFormatter if style == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "process": process}},
        "handlers": {"line": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["line"], "level": "WARNING"},
        "loggers": {
            "consulops": {"level": level.upper()},
            "django-q": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
        },
    }

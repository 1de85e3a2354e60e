"""Log lines: one a event for eyes, one JSON object for machines."""

from __future__ import annotations

import json
import logging
import sys

from consulops.logs import JsonFormatter, TextFormatter, configuration


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("consulops.loops", logging.WARNING, "x.py", 1, message, args, None)


def test_text_names_the_process_and_the_part() -> None:
    line = TextFormatter("watch").format(record("took %s", "checks:3"))
    assert line[8:] == " watch  WARNING loops: took checks:3"


def test_text_without_a_process_leaves_no_gap() -> None:
    assert TextFormatter().format(record("hello"))[8:] == " WARNING loops: hello"


def test_json_is_one_line_with_the_exception() -> None:
    one = record("two\nlines ü")
    try:
        raise ValueError("why")
    except ValueError:
        one.exc_info = sys.exc_info()
    text = JsonFormatter("web").format(one)
    assert "\n" not in text
    line = json.loads(text)
    assert line["message"] == "two\nlines ü"
    assert (line["level"], line["process"], line["logger"]) == ("warning", "web", "consulops.loops")
    assert "ValueError: why" in line["exception"]


def test_the_level_is_ours_and_libraries_only_warn() -> None:
    found = configuration("debug", "json", "web")
    assert found["loggers"]["consulops"]["level"] == "DEBUG"
    assert found["root"]["level"] == "WARNING"

"""Tables as files."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory
from django.test.client import AsyncRequestFactory

from consulops.core.export import export, wanted

ROWS: list[dict[str, Any]] = [
    {"name": "web", "tags": ["a", "b"], "since": datetime(2026, 3, 4, tzinfo=UTC), "count": -3},
    {"name": "=cmd()", "tags": [], "since": None, "count": 0},
]


def text(style: str, rows: list[dict[str, Any]]) -> str:
    response = export(RequestFactory().get("/", {"format": style}), "checks", rows)
    return b"".join(cast("Iterator[bytes]", response.streaming_content)).decode()


def test_csv_has_a_head_and_plain_cells() -> None:
    assert list(csv.reader(io.StringIO(text("csv", ROWS)))) == [
        ["name", "tags", "since", "count"],
        ["web", "a b", "2026-03-04T00:00:00+00:00", "-3"],
        ["'=cmd()", "", "", "0"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    (_, cells) = csv.reader(io.StringIO(text("csv", [{"output": f"{start}1+1"}]), newline=""))
    assert cells == [f"'{start}1+1"]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 450])
def test_json_is_a_list_of_objects(count: int) -> None:
    rows = [{"number": number, "name": '"ü'} for number in range(count)]
    assert json.loads(text("json", rows)) == rows


@pytest.mark.parametrize("count", [0, 201])
def test_csv_has_a_line_for_each_row(count: int) -> None:
    lines = text("csv", [{"number": number} for number in range(count)]).splitlines()
    assert len(lines) == (count + 1 if count else 0)


def test_the_file_is_named_after_its_table() -> None:
    response = export(RequestFactory().get("/?format=csv"), "checks", ROWS)
    assert "attachment; filename=" in response["Content-Disposition"]
    assert "checks-" in response["Content-Disposition"]


def test_an_asynchronous_server_gets_an_asynchronous_stream() -> None:
    request = AsyncRequestFactory().get("/", {"format": "json"})
    assert isinstance(request, ASGIRequest)

    async def read() -> bytes:
        content = cast("AsyncIterator[bytes]", export(request, "checks", ROWS).streaming_content)
        return b"".join([chunk async for chunk in content])

    assert len(json.loads(asyncio.run(read()))) == 2


@pytest.mark.parametrize(
    ("query", "answer"), [("", False), ("csv", True), ("json", True), ("xls", False)]
)
def test_only_known_formats_are_files(query: str, answer: bool) -> None:
    assert wanted(RequestFactory().get("/", {"format": query})) is answer

"""Any table as CSV or JSON: the same address with `?format=`."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

FORMATS = ("csv", "json")
_BATCH = 200
_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def wanted(request: HttpRequest) -> bool:
    """Whether this request asks for a file rather than a page."""
    return request.GET.get("format") in FORMATS


def export(
    request: HttpRequest, name: str, rows: Iterable[dict[str, Any]]
) -> StreamingHttpResponse:
    """The rows as a file named after the table and today, streamed; all rows have the same keys."""
    style = "csv" if request.GET.get("format") == "csv" else "json"
    file_name = f"{name}-{timezone.now():%Y-%m-%d}.{style}"
    chunks = _csv(rows) if style == "csv" else _json(rows)
    content = _threaded(chunks) if isinstance(request, ASGIRequest) else chunks
    return StreamingHttpResponse(
        content,
        content_type=_TYPES[style],
        headers={
            "Content-Disposition": f'attachment; filename="{file_name}"',
            "Cache-Control": "no-store",
        },
    )


async def _threaded(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Lets a synchronous iterator, which reads the database, feed an asynchronous server."""

    def following() -> bytes | None:
        return next(chunks, None)

    while (chunk := await sync_to_async(following)()) is not None:
        yield chunk


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    head_is_written = False
    for batch in _batches(rows):
        text = io.StringIO()
        writer = csv.writer(text)
        if not head_is_written:
            writer.writerow(batch[0])
            head_is_written = True
        writer.writerows([_cell(value) for value in row.values()] for row in batch)
        yield text.getvalue().encode()


def _cell(value: Any) -> str:
    """The cell's text; a leading quote keeps spreadsheets from running it as a formula."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    elif isinstance(value, dict):
        value = orjson.dumps(value).decode()
    elif hasattr(value, "isoformat"):
        value = value.isoformat()
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _json(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    opening = b"[\n"
    for batch in _batches(rows):
        yield opening + b",\n".join(orjson.dumps(row, default=str) for row in batch)
        opening = b",\n"
    yield b"[]\n" if opening == b"[\n" else b"\n]\n"

"""What the kinds that speak HTTP share."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from consulops.notifiers.answers import classify, describe

# More of an answer than anybody will read, less than what could hurt.
_MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its status, its headers, and as much of its text as we read."""

    status: int
    headers: Mapping[str, str]
    text: str

    def __str__(self) -> str:
        return describe(self.status, self.text)

    def field(self, name: str) -> str:
        """A text of the JSON object that was answered; empty without one."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return ""
        value = found.get(name) if isinstance(found, dict) else None
        return value if isinstance(value, str) else ""


async def exchange(http: aiohttp.ClientSession, url: str, **more: Any) -> str:
    """Makes one request as `ask` does and returns its answer in one line."""
    return str(await ask(http, url, **more))


async def ask(
    http: aiohttp.ClientSession,
    url: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Answer:
    """Makes one request and returns its answer. Raises SendError and OSError.

    `more` goes to aiohttp: `json`, `data`, `ssl` and the like. Redirects are not followed, so that
    no secret reaches an address that nobody entered.
    """
    async with http.request(method, url, headers=headers, allow_redirects=False, **more) as answer:
        text = await read_some(answer)
        error = classify(answer.status, answer.headers, text)
        if error:
            raise error
        return Answer(answer.status, answer.headers, text)


def basic_login(username: str, password: str) -> dict[str, str]:
    """The header of a user name and a password (RFC 7617)."""
    pair = b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


async def read_some(answer: aiohttp.ClientResponse) -> str:
    """The beginning of an answer's text."""
    body = bytearray()
    while len(body) < _MOST_BYTES:
        chunk = await answer.content.read(_MOST_BYTES - len(body))
        if not chunk:
            break
        body += chunk
    if not answer.content.at_eof():
        # The rest is not worth reading, so the connection cannot be used again.
        answer.close()
    return body.decode("utf-8", "replace")

"""What the kinds that speak HTTP share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from consulops.notifiers.answers import classify, describe

# More of an answer than anybody will read, less than what could hurt.
_MOST_BYTES = 16_384


async def exchange(
    http: aiohttp.ClientSession,
    url: str,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> str:
    """Makes one request and returns its answer in one line. Raises SendError and OSError.

    `more` goes to aiohttp: `json`, `data`, `ssl` and the like. Redirects are not followed, so that
    no secret reaches an address that nobody entered.
    """
    async with http.request(method, url, headers=headers, allow_redirects=False, **more) as answer:
        text = await read_some(answer)
        error = classify(answer.status, answer.headers, text)
        if error:
            raise error
        return describe(answer.status, text)


async def read_some(answer: aiohttp.ClientResponse) -> str:
    """The beginning of the answer's body as text, whatever its size and encoding."""
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

"""What the kinds that speak HTTP share."""

from __future__ import annotations

import aiohttp

# More of an answer than anybody will read, less than what could hurt.
_MOST_BYTES = 16_384


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

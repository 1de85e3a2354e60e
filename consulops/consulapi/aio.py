"""The asynchronous client, on aiohttp: what the watchers read with."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from consulops.consulapi import answers, failures
from consulops.consulapi.answers import Answer, Reply
from consulops.consulapi.connection import Connection
from consulops.consulapi.errors import Place
from consulops.consulapi.target import Consistency, Params, Target

MAX_BODY = 64 << 20


class AsyncClient:
    """Reads one Consul from within an event loop; use it with `async with`.

    Its address, token and TLS are the connection's and nobody else's: no environment variable,
    no proxy setting, no redirect changes them.
    """

    def __init__(
        self, connection: Connection, timeout_s: float = 10.0, *, max_body: int = MAX_BODY
    ) -> None:
        self.connection = connection
        self.timeout_s = timeout_s
        self._max_body = max_body
        self._target = Target(connection)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def read(
        self,
        path: str,
        params: Params | None = None,
        *,
        consistency: Consistency = "default",
        timeout_s: float | None = None,
        index: int | None = None,
        wait_s: float | None = None,
        missing_ok: bool = False,
    ) -> Answer:
        """GETs and parses a path given as plain text; raises ConsulError.

        With an index Consul answers once something is newer, or after wait_s (its jitter is added
        to the deadline). missing_ok turns a 404 that carries an index, as for a key prefix without
        keys, into an Answer whose value is None.
        """
        query = self._target.params(params, consistency)
        deadline_s = self.timeout_s if timeout_s is None else timeout_s
        if index:
            query["index"] = str(index)
            if wait_s is not None:
                query["wait"] = f"{round(wait_s * 1000)}ms"
                # Consul adds up to a sixteenth to the wait, to spread the answers.
                deadline_s += wait_s * 17 / 16
        place = self._target.place("GET", path)
        reply = await self._fetch(path, query, place, deadline_s)
        if missing_ok and reply.status == 404 and reply.headers.get("X-Consul-Index"):
            return answers.with_headers(None, reply)
        error = answers.classify(reply, place)
        if error is not None:
            raise error
        return answers.parse(reply, place)

    async def _fetch(self, path: str, query: Params, place: Place, deadline_s: float) -> Reply:
        if self._session is None:
            raise RuntimeError("AsyncClient must be entered with `async with` first")
        url = URL(self._target.url(path, query), encoded=True)
        tls = self._target.tls
        try:
            async with self._session.get(
                url,
                headers=self._target.headers,
                ssl=tls if tls is not None else True,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=deadline_s),
            ) as response:
                body = await self._body(response, place)
                return Reply(response.status, response.headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise failures.translate(error, place, deadline_s) from error

    async def _body(self, response: aiohttp.ClientResponse, place: Place) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._max_body:
                raise answers.too_large(self._max_body, place)
            chunks.append(chunk)
        return b"".join(chunks)

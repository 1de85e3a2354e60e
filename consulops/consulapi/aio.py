"""The asynchronous client, on aiohttp: what the watchers read with."""

from __future__ import annotations

from collections.abc import Container
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from consulops.consulapi import answers, failures
from consulops.consulapi.answers import Answer, Reply
from consulops.consulapi.connection import Connection
from consulops.consulapi.errors import Place
from consulops.consulapi.target import Body, Consistency, Params, Target, encode


class AsyncClient:
    """Reads one Consul from within an event loop; use it with `async with`.

    Its address, token and TLS are the connection's and nobody else's: no environment variable,
    no proxy setting, no redirect changes them.
    """

    def __init__(self, connection: Connection, timeout_s: float = 10.0) -> None:
        self.connection = connection
        self.timeout_s = timeout_s
        self._target = Target(connection)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            # Answers are read into one piece, so the buffer need not hold the server back.
            read_bufsize=1 << 20,
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
        also_ok: Container[int] = (),
    ) -> Answer:
        """GETs and parses a path given as plain text; raises ConsulError.

        With an index Consul answers once something is newer, or after wait_s (its jitter is added
        to the deadline). missing_ok turns a 404 that carries an index, as for a key prefix without
        keys, into an Answer whose value is None. A status in also_ok is not an error: Consul tells
        of bad health with 429.
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
        reply = await self._fetch("GET", self._target.url(path, query), place, deadline_s)
        if missing_ok and reply.status == 404 and reply.headers.get("X-Consul-Index"):
            return answers.with_headers(None, reply)
        if reply.status in also_ok:
            return answers.parse(reply, place)
        return answers.settle(reply, place)

    async def write(
        self,
        method: str,
        path: str,
        body: Body = None,
        params: Params | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        """Sends a PUT, POST or DELETE, once; raises ConsulError.

        After TimedOut, Unreachable or BadAnswer nobody knows whether Consul did it.
        """
        place = self._target.place(method, path)
        url = self._target.url(path, self._target.params(params, "default"), method)
        deadline_s = self.timeout_s if timeout_s is None else timeout_s
        return answers.settle(await self._fetch(method, url, place, deadline_s, body), place)

    async def _fetch(
        self, method: str, url: str, place: Place, deadline_s: float, body: Body = None
    ) -> Reply:
        if self._session is None:
            raise RuntimeError("AsyncClient must be entered with `async with` first")
        tls = self._target.tls
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                data=encode(body),
                headers=self._target.headers,
                ssl=tls if tls is not None else True,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=deadline_s),
            ) as response:
                return Reply(response.status, response.headers, await self._body(response, place))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise failures.translate(error, place, deadline_s, tls=tls is not None) from error

    async def _body(self, response: aiohttp.ClientResponse, place: Place) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            answers.check_size(size, place)
            chunks.append(chunk)
        return b"".join(chunks)

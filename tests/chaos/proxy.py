"""The network between us and a server on loopback, for tests that cut it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

WAIT_S = 10.0
_CHUNK = 1 << 16


class Proxy:
    """Passes TCP connections on to a port of loopback, from a thread; a context manager.

    `stall` makes all connections carry nothing any more and stay open, as a firewall does that
    drops packets; `cut` resets them and all that come. After `heal` new ones work again; those that
    stalled stay dead. With `answer_bytes` every connection stalls after so many bytes of answers.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.answer_bytes: int | None = None
        self._stalls = self._cuts = False
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(WAIT_S):
            raise RuntimeError("the proxy did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(WAIT_S)

    def stall(self) -> None:
        self._do(self._stall)

    def cut(self) -> None:
        self._do(self._cut)

    def heal(self) -> None:
        self._do(self._heal)

    def _do(self, action: Callable[[], None]) -> None:
        """Runs it in the proxy's thread and waits until it is done."""
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(WAIT_S)

    def _stall(self) -> None:
        self._stalls = True
        for link in self._links:
            link.dead = True

    def _cut(self) -> None:
        self._cuts = True
        for link in self._links:
            link.reset()

    def _heal(self) -> None:
        self._stalls = self._cuts = False
        self.answer_bytes = None

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._closing.wait()
        server.close()
        # Each ends its connections; these close a turn of the loop later.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._cuts:
                await self._pass_on(reader, writer)
        except OSError:
            return  # one of the sides was faster
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        link = _Link(writer, there_writer, self.answer_bytes)
        link.dead = self._stalls
        self._links.add(link)
        try:
            await link.carry(reader, there_reader)
        finally:
            self._links.discard(link)


class _Link:
    """One connection that is passed on; a dead one reads and throws away."""

    def __init__(
        self, here: asyncio.StreamWriter, there: asyncio.StreamWriter, answer_bytes: int | None
    ) -> None:
        self.here, self.there = here, there
        self.dead = False
        self._left = answer_bytes

    def reset(self) -> None:
        self.here.transport.abort()
        self.there.transport.abort()

    async def carry(self, here: asyncio.StreamReader, there: asyncio.StreamReader) -> None:
        """Until the caller has left, or the server has and somebody would notice."""
        answers = asyncio.create_task(self._answers(there))
        try:
            while chunk := await here.read(_CHUNK):
                if not self.dead:
                    self.there.write(chunk)
        finally:
            answers.cancel()
            self.reset()

    async def _answers(self, there: asyncio.StreamReader) -> None:
        while chunk := await there.read(_CHUNK):
            if self._left is not None:
                chunk = chunk[: self._left]
                self._left -= len(chunk)
            if not self.dead:
                self.here.write(chunk)
        if not self.dead:
            self.here.transport.abort()

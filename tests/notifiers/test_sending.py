"""The one door: threads, timeouts, words, and secrets that receivers echo."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from django import forms

from consulops.notifiers import sending
from consulops.notifiers.base import BlockingKind, Kind, Message, SendError
from consulops.notifiers.fields import HeadersField
from tests.notifiers.harness import message


class Slow(BlockingKind):
    """Waits until it is let go."""

    name, label = "slow", "Slow"
    fields = {"token": forms.CharField(), "headers": HeadersField()}
    secret_fields = frozenset({"token", "headers"})

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__(config or {})
        self.started, self.go = threading.Event(), threading.Event()
        self.answer = "done"
        self.error: Exception | None = None

    def send(self, message: Message, timeout_s: float) -> str:
        self.started.set()
        self.go.wait(10)
        if self.error:
            raise self.error
        return self.answer


def run(kind: Kind, executor: ThreadPoolExecutor, timeout_s: float = 5) -> str:
    async def main() -> str:
        async with aiohttp.ClientSession() as http:
            return await sending.send(kind, http, message(), timeout_s, executor)

    return asyncio.run(main())


def test_loop_goes_on_while_a_kind_blocks(executor: ThreadPoolExecutor) -> None:
    kind = Slow()

    async def main() -> str:
        async with aiohttp.ClientSession() as http:
            task = asyncio.create_task(sending.send(kind, http, message(), 5, executor))
            await asyncio.to_thread(kind.started.wait, 5)
            kind.go.set()
            return await task

    assert asyncio.run(main()) == "done"


def test_waiting_for_a_thread_is_not_counted(executor: ThreadPoolExecutor) -> None:
    """A message behind a slow one must not time out before it was tried."""
    first, second = Slow(), Slow()
    second.go.set()

    async def main() -> str:
        async with aiohttp.ClientSession() as http:
            one = asyncio.create_task(sending.send(first, http, message(), 0.05, executor))
            await asyncio.to_thread(first.started.wait, 5)
            two = asyncio.create_task(sending.send(second, http, message(), 0.05, executor))
            with pytest.raises(SendError, match=r"timed out after 0\.05 s"):
                await one
            assert not two.done()
            first.go.set()
            return await two

    assert asyncio.run(main()) == "done"


def test_cancelled_before_its_turn_is_never_sent(executor: ThreadPoolExecutor) -> None:
    first, second = Slow(), Slow()

    async def main() -> None:
        async with aiohttp.ClientSession() as http:
            one = asyncio.create_task(sending.send(first, http, message(), 5, executor))
            await asyncio.to_thread(first.started.wait, 5)
            two = asyncio.create_task(sending.send(second, http, message(), 5, executor))
            await asyncio.sleep(0)
            two.cancel()
            with pytest.raises(asyncio.CancelledError):
                await two
            first.go.set()
            await one

    asyncio.run(main())
    executor.submit(lambda: None).result(5)
    assert not second.started.is_set()


def test_secrets_are_cut_out_of_answers_and_errors(executor: ThreadPoolExecutor) -> None:
    kind = Slow(
        {"token": "https://h/services/T0/abc", "headers": {"A": "Bearer t0ken-value", "B": "b"}}
    )
    kind.go.set()
    kind.answer = "POST /services/T0/abc https://h/services/T0/abc t0ken-value Bearer t0ken-value b"
    assert run(kind, executor) == "POST ••• ••• ••• ••• b"
    kind.error = SendError("no t0ken-value", permanent=True, retry_after_s=3)
    with pytest.raises(SendError) as caught:
        run(kind, executor)
    assert caught.value.text == "no •••"
    assert (caught.value.permanent, caught.value.retry_after_s) == (True, 3)


def test_what_an_address_asks_for_is_as_secret_as_the_address(
    executor: ThreadPoolExecutor,
) -> None:
    kind = Slow({"token": "https://h/run?v=2016-06-01&sig=a%2Fb-s3cr3t", "headers": {"A": "//[x"}})
    kind.go.set()
    kind.answer = "/run?v=2016-06-01&sig=a%2Fb-s3cr3t: no a/b-s3cr3t //[x"
    answer = run(kind, executor)
    assert "s3cr3t" not in answer
    assert "//[x" not in answer


def test_mistake_in_a_kind_is_not_called_a_failed_send(executor: ThreadPoolExecutor) -> None:
    kind = Slow()
    kind.go.set()
    kind.error = KeyError("oops")
    with pytest.raises(KeyError):
        run(kind, executor)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "Connection refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "closed before an answer"),
        (BrokenPipeError(errno.EPIPE, "x"), "closed before an answer"),
        (OSError(errno.EHOSTUNREACH, "x"), "No route"),
        (OSError(errno.ENOSPC, "x"), "No space left on device."),
        (OSError("s3cr3t"), "The connection failed."),
        (socket.gaierror(-2, "s3cr3t"), "cannot be resolved"),
        (ssl.SSLError(1, "s3cr3t"), "TLS: handshake failed."),
        (TimeoutError("s3cr3t"), "timed out after 5 s"),
        (aiohttp.ServerDisconnectedError(), "closed before an answer"),
        (aiohttp.ClientPayloadError("s3cr3t"), "not proper HTTP"),
        (aiohttp.InvalidURL("s3cr3t"), "address cannot be used"),
    ],
)
def test_every_failure_has_its_words(
    error: Exception, text: str, executor: ThreadPoolExecutor
) -> None:
    kind = Slow()
    kind.go.set()
    kind.error = error
    with pytest.raises(SendError) as caught:
        run(kind, executor)
    assert text in caught.value.text
    assert "s3cr3t" not in caught.value.text
    assert caught.value.permanent is isinstance(error, aiohttp.InvalidURL)

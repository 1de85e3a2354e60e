"""Sends one message, and turns whatever goes wrong into one sentence and a verdict."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AsyncKind, BlockingKind, Kind, Message, SendError

# A secret shorter than this is part of too many words to be cut out of a text.
_SHORTEST_SECRET = 4
_HIDDEN = "•••"


async def send(
    kind: Kind,
    http: aiohttp.ClientSession,
    message: Message,
    timeout_s: float,
    executor: Executor,
) -> str:
    """Delivers the message and returns the answer; raises SendError and nothing else expected.

    A blocking kind runs in `executor`, and its time counts from when a thread took it. After a
    timeout its thread is left to end by itself.
    """
    with plain_errors(kind, timeout_s):
        if isinstance(kind, BlockingKind):
            answer = await _send_in_thread(kind, message, timeout_s, executor)
        elif isinstance(kind, AsyncKind):
            async with asyncio.timeout(timeout_s):
                answer = await kind.send(http, message, timeout_s)
        else:
            raise TypeError(f"{type(kind).__qualname__} can neither wait nor block")
    return scrub(answer, kind)


@contextmanager
def plain_errors(kind: Kind, timeout_s: float) -> Iterator[None]:
    """Whatever is expected to go wrong inside leaves as a SendError without secrets."""
    try:
        yield
    except SendError as error:
        raise SendError(
            scrub(error.text, kind),
            permanent=error.permanent,
            retry_after_s=error.retry_after_s,
        ) from None
    except TimeoutError:
        raise SendError(f"No answer: timed out after {timeout_s:g} s.") from None
    except aiohttp.InvalidURL:
        raise SendError("The address cannot be used.", permanent=True) from None
    except (aiohttp.ClientError, OSError) as error:
        # Without its cause: the texts of these exceptions contain addresses, which may be secret.
        raise SendError(scrub(explain(error), kind)) from None


async def _send_in_thread(
    kind: BlockingKind, message: Message, timeout_s: float, executor: Executor
) -> str:
    loop = asyncio.get_running_loop()
    started = asyncio.Event()

    def work() -> str:
        loop.call_soon_threadsafe(started.set)
        return kind.send(message, timeout_s)

    future = loop.run_in_executor(executor, work)
    try:
        await started.wait()
        async with asyncio.timeout(timeout_s):
            return await future
    finally:
        future.cancel()


def explain(error: BaseException) -> str:
    """One sentence about a connection that failed, without any address in it."""
    cause = _root(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"TLS: the certificate is not trusted ({excerpt(cause.verify_message)})."
    if isinstance(cause, ssl.SSLError):
        # The reason is there only when OpenSSL gave one.
        reason = getattr(cause, "reason", None) or "handshake failed"
        return f"TLS: {reason.replace('_', ' ').lower()}."
    if isinstance(cause, aiohttp.ServerFingerprintMismatch | ssl.CertificateError):
        return "TLS: the certificate is not trusted."
    if isinstance(cause, socket.gaierror | aiohttp.ClientConnectorDNSError):
        return "The host name cannot be resolved."
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return "The connection was closed before an answer."
    if isinstance(cause, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "The answer is not proper HTTP."
    return _explain_number(cause)


def _explain_number(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    match number:
        case errno.ECONNREFUSED:
            return "Connection refused: nothing listens at this address."
        case errno.ECONNRESET | errno.EPIPE:
            return "The connection was closed before an answer."
        case errno.EHOSTUNREACH | errno.ENETUNREACH:
            return "No route to this address."
        case None:
            return "The connection failed."
        case _:
            return f"{os.strerror(number)}."


def _root(error: BaseException) -> BaseException:
    """What lies under aiohttp's wrapping."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    return error


def scrub(text: str, kind: Kind) -> str:
    """The text without any of the kind's secrets: a receiver may echo what it was sent."""
    found = {one for name in kind.secret_fields for one in _texts(kind.config.get(name))}
    # Longest first: a secret may be part of another.
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return text


def _texts(value: Any) -> Iterator[str]:
    """Every form in which a secret may come back."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
        # The part behind "Bearer", and what follows the host of a secret address.
        yield from value.split()[1:]
        with suppress(ValueError):
            parts = urlsplit(value)
            yield from (parts.path, parts.query, *(text for _, text in parse_qsl(parts.query)))

"""Real receivers on loopback for what ConsulOps sends: HTTP requests and mail.

As a program, for measurements from another process, it writes a JSON line per request:
`python -m tests.receivers webhook --port 9999` (0 chooses a port; the first line names it).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

WAIT_S = 10.0


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came in; `at` is the wall clock when its body was complete."""

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What the receiver says; with `hang` nothing until `let_go`, with `hang_up` never."""

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    hang_up: bool = False


class WebhookReceiver:
    """An HTTP server in a thread that keeps what it got; change `answer` at any time.

    `answer` may also be a function of the request.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        on_request: Callable[[Request], None] | None = None,
    ) -> None:
        self.answer: Answer | Callable[[Request], Answer] = Answer()
        self.requests: list[Request] = []
        self._arrived: queue.Queue[Request] = queue.Queue()
        self._on_request = on_request
        self._tls = tls
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._let_go = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook-receiver", daemon=True)

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/hook"

    def next(self, timeout_s: float = WAIT_S) -> Request:
        """The oldest request that was not asked for yet; waits for it."""
        return self._arrived.get(timeout=timeout_s)

    def take(self, count: int, timeout_s: float = WAIT_S) -> list[Request]:
        """The next so many requests."""
        return [self.next(timeout_s) for _ in range(count)]

    def let_go(self) -> None:
        """Answers all requests that hang; those that come later hang as before."""
        self._loop.call_soon_threadsafe(self._answer_all)

    def _answer_all(self) -> None:
        self._let_go.set()
        self._let_go = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(WAIT_S):
            raise RuntimeError("the webhook receiver did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._close)
        self._thread.join(WAIT_S)

    def _close(self) -> None:
        self._closing.set()
        self._answer_all()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(
            runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True
        )
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._closing.wait()
        await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        got = Request(time.time(), request.method, request.path_qs, dict(request.headers), body)
        self.requests.append(got)
        self._arrived.put(got)
        if self._on_request:
            self._on_request(got)
        answer = self.answer(got) if callable(self.answer) else self.answer
        if answer.hang and not self._closing.is_set():
            await self._let_go.wait()
        if answer.hang_up and request.transport:
            request.transport.abort()
        return web.Response(status=answer.status, text=answer.body, headers=dict(answer.headers))


@dataclass(frozen=True)
class Mail:
    """One mail as the server got it."""

    sender: str
    recipients: list[str]
    raw: bytes
    user: str | None

    @property
    def parsed(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, subtype: str) -> str:
        """The decoded text of the part `plain` or `html`."""
        body = self.parsed.get_body(preferencelist=(subtype,))
        assert body is not None
        return str(body.get_content())


class MailReceiver:
    """An SMTP server in a thread. `on_data` and `on_recipient` are the replies it gives."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.mails: list[Mail] = []
        self.on_data = "250 OK"
        self.on_recipient: Mapping[str, str] = {}
        self.hang = self.hang_up = False
        self.logins: list[str] = []
        self._closing = asyncio.Event()
        self._login = login
        options: dict[str, Any] = {}
        if login:
            options = {"authenticator": self._authenticate, "auth_require_tls": False}
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=free_port(),
            ssl_context=tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            # The name that is greeted with; to find it out may take a resolver seconds.
            server_hostname="localhost",
            **options,
        )

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._controller.loop.call_soon_threadsafe(self._closing.set)
        self._controller.stop()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        right = self._login == (data.login.decode(), data.password.decode())
        return AuthResult(success=right, handled=False, auth_data=data.login.decode())

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._login and not session.authenticated:
            return "530 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.on_recipient.get(address, "250 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(  # the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.hang:
            await self._closing.wait()
        if self.hang_up and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        if self.on_data.startswith("2"):
            raw = envelope.content
            assert isinstance(raw, bytes)
            sender, user = str(envelope.mail_from), session.auth_data
            self.mails.append(Mail(sender, list(envelope.rcpt_tos), raw, user))
        return self.on_data


def free_port() -> int:
    """A port of loopback on which nobody listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _print(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _print_request(request: Request) -> None:
    body = request.body.decode("utf-8", "replace")
    _print({**vars(request), "body": body})


def main() -> None:
    """Serves until standard input ends, so that it does not outlive who started it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["webhook"])
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with WebhookReceiver(port=options.port, on_request=_print_request) as receiver:
        _print({"port": receiver.port, "url": receiver.url})
        sys.stdin.read()


if __name__ == "__main__":
    main()

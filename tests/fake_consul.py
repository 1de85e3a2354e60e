"""A server in Consul's place that misbehaves to order; for what a real one cannot be made to do."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; `path` is decoded, `target` is not and has the query."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}


@dataclass(frozen=True, slots=True)
class Told:
    """One answer. `raw` goes out as it is, without HTTP, and ends the connection;
    `missing` is how many bytes of the promised length never come; `hang` answers nothing;
    `trickle_s` sends the body byte by byte, with that pause between."""

    body: bytes = b"[]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    missing: int = 0
    hang: bool = False
    trickle_s: float = 0.0


def listing(
    value: Any, index: int | str = 1, leader: bool = True, last_contact_ms: int = 0
) -> Told:
    """What Consul answers to a read; an empty index leaves that header out."""
    headers = {
        "Content-Type": "application/json",
        "X-Consul-KnownLeader": str(leader).lower(),
        "X-Consul-LastContact": str(last_contact_ms),
    }
    if index != "":
        headers["X-Consul-Index"] = str(index)
    return Told(json.dumps(value).encode(), headers=headers)


def failure(text: str, status: int = 500) -> Told:
    return Told(text.encode(), status, {"Content-Type": "text/plain; charset=utf-8"})


def missing_prefix(index: int) -> Told:
    """The 404 of a key prefix without keys."""
    headers = {"X-Consul-Index": str(index), "X-Consul-KnownLeader": "true"}
    return Told(b"", 404, headers)


def web_page(status: int = 200) -> Told:
    body = b"<!DOCTYPE html><html><title>Welcome</title><script>alert(1)</script></html>"
    return Told(body, status, {"Content-Type": "text/html; charset=utf-8"})


def redirect(location: str, status: int = 301) -> Told:
    return Told(b"", status, {"Location": location})


def half(value: Any) -> Told:
    """An answer that breaks off in the middle of its body."""
    body = json.dumps(value).encode()
    return Told(body, headers={"Content-Type": "application/json"}, missing=len(body) // 2)


def huge_check(megabytes: int) -> Told:
    """A list of checks, one of which has an enormous output."""
    check = {"Node": "n1", "CheckID": "c1", "Status": "critical", "Output": "x" * (megabytes << 20)}
    return listing([check])


GARBAGE = Told(b'{"Node": \xff\xfe', headers={"Content-Type": "application/json"})
NOT_HTTP = Told(raw=b"SSH-2.0-OpenSSH_9.2\r\n")
SILENT_END = Told(raw=b"")
HANG = Told(hang=True)


class FakeConsul:
    """Listens on loopback and answers as told; a context manager.

    `say` sets the answers to all requests in order, the last one for ever; `at` sets the answer of
    one path. `asked` records every request.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._script: list[Told] = [Told()]
        self._paths: dict[str, Told] = {}
        self._news = threading.Condition()
        self._left = 0
        self._stopping = threading.Event()
        self._server = _Server(self, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        scheme = "https" if tls else "http"
        self.address = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def say(self, *told: Told) -> None:
        with self._news:
            self._script = list(told)

    def at(self, path: str, told: Told) -> None:
        with self._news:
            self._paths[path] = told

    def wait_asked(self, count: int) -> None:
        """Waits until so many requests have come in; fails the test otherwise."""
        with self._news:
            came = self._news.wait_for(lambda: len(self.asked) >= count, WAIT_S)
        assert came, f"{len(self.asked)} requests instead of {count}"

    def wait_left(self, count: int = 1) -> None:
        """Waits until so many callers have closed a connection on which they still waited."""
        with self._news:
            assert self._news.wait_for(lambda: self._left >= count, WAIT_S), "nobody left"

    def _next(self, asked: Asked) -> Told:
        with self._news:
            self.asked.append(asked)
            self._news.notify_all()
            if asked.path in self._paths:
                return self._paths[asked.path]
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def _caller_left(self) -> None:
        with self._news:
            self._left += 1
            self._news.notify_all()


class _Server(ThreadingHTTPServer):
    request_queue_size = 50

    def __init__(self, fake: FakeConsul, tls: ssl.SSLContext | None) -> None:
        self.fake = fake
        self._tls = tls
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = False

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        if self._tls is not None:
            # The handshake happens in the request's own thread.
            request = self._tls.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        self._open.add(request)
        return request, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the caller was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away, or distrusts our certificate, is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        told = self.server.fake._next(Asked(self.command, self.path, self.headers, body))
        if told.hang:
            self._hang()
        elif told.raw is not None:
            self.close_connection = True
            self.wfile.write(told.raw)
        else:
            self._http(told)

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def _http(self, told: Told) -> None:
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told.body)))
        self.end_headers()
        body = told.body[: len(told.body) - told.missing]
        if told.trickle_s:
            for place in range(len(body)):
                self.wfile.write(body[place : place + 1])
                if self.server.fake._stopping.wait(told.trickle_s):
                    break
        else:
            self.wfile.write(body)
        if told.missing:
            self.close_connection = True

    def _hang(self) -> None:
        self.close_connection = True
        if self.rfile.read(1) == b"" and not self.server.fake._stopping.is_set():
            self.server.fake._caller_left()

    def log_message(self, *args: Any) -> None:
        """Quiet: what was asked is recorded."""

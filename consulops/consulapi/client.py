"""The synchronous client: python-consul2's calls, and plain reads and writes, on one transport."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import requests
import urllib3
from consul import base
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from consulops.consulapi import answers, errors, failures
from consulops.consulapi.answers import Answer, Reply
from consulops.consulapi.connection import Connection
from consulops.consulapi.errors import Place
from consulops.consulapi.target import Body, Consistency, Params, Target, encode

# python-consul2 lets CONSUL_HTTP_ADDR win over explicit arguments and fails when it cannot read it
# (an IPv6 address, say). What it sees of the environment is empty, here and for good.
base.os = SimpleNamespace(getenv=lambda name, default=None: default)
# Its constructor warns of its own legacy ACL calls each time, whether used or not.
base.warnings = SimpleNamespace(warn=lambda *args, **kwargs: None)
# Not verifying is the cluster's setting, and the connection test says so: no need to warn per call.
urllib3.disable_warnings(InsecureRequestWarning)

_Pairs = Iterable[tuple[str, Any]] | dict[str, Any] | None
_WAIT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)\Z")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DEFAULT_WAIT_S = 300.0


class _TlsAdapter(HTTPAdapter):
    """Uses our TLS context and nothing else: requests would add the public CAs to a private one."""

    def __init__(self, context: Any) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context decides."""

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}


class _Transport(base.HTTPClient):  # type: ignore[misc]  # python-consul2 has no types
    """What python-consul2 calls to reach Consul; every failure leaves it as a ConsulError."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        address = target.address
        super().__init__(address.host, address.port, address.scheme, timeout=timeout_s)
        self.base_uri = str(address)
        self._target = target
        self._session = requests.Session()
        # No proxy, no .netrc, no CA bundle from the environment.
        self._session.trust_env = False
        self._session.headers.clear()
        if target.tls is not None:
            self._session.mount("https://", _TlsAdapter(target.tls))

    def get(self, callback: Any, path: str, params: _Pairs = None, headers: Any = None) -> Any:
        return self._inherited("GET", callback, path, params, headers, None)

    def put(
        self, callback: Any, path: str, params: _Pairs = None, data: Any = "", headers: Any = None
    ) -> Any:
        return self._inherited("PUT", callback, path, params, headers, data)

    def post(
        self, callback: Any, path: str, params: _Pairs = None, data: Any = "", headers: Any = None
    ) -> Any:
        return self._inherited("POST", callback, path, params, headers, data)

    def delete(
        self, callback: Any, path: str, params: _Pairs = None, data: Any = "", headers: Any = None
    ) -> Any:
        return self._inherited("DELETE", callback, path, params, headers, data)

    def close(self) -> None:
        """Gives the connections back."""
        self._session.close()

    def fetch(
        self,
        method: str,
        url: str,
        place: Place,
        timeout_s: float,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request, one reply, whatever its status; raises ConsulError when there is none."""
        deadline = time.monotonic() + timeout_s
        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers=self._target.headers | (headers or {}),
                timeout=timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._body(response, place, deadline)
                return Reply(response.status_code, response.headers, content)
        except (requests.RequestException, HTTPError, TimeoutError, OSError, ValueError) as error:
            tls = self._target.tls is not None
            raise failures.translate(error, place, timeout_s, tls=tls) from error

    def _body(self, response: requests.Response, place: Place, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        # What is there, not a full buffer: a server that dribbles must not hold us in one read.
        while chunk := response.raw.read1(1 << 20, decode_content=True):
            size += len(chunk)
            answers.check_size(size, place)
            # The socket's timeout starts again with each byte; the call's deadline does not.
            if time.monotonic() > deadline:
                raise TimeoutError
            chunks.append(chunk)
        return b"".join(chunks)

    def _inherited(
        self,
        method: str,
        callback: Callable[[Any], Any],
        path: str,
        params: _Pairs,
        headers: dict[str, str] | None,
        data: Any,
    ) -> Any:
        query = {key: _text(value) for key, value in dict(params or {}).items()}
        headers = dict(headers or {})
        # Some of python-consul2's calls put the token into the URL, where it ends up in logs.
        if token := query.pop("token", ""):
            headers["X-Consul-Token"] = token
        place = self._target.place(method, path)
        url = self._target.url(path, query, method)
        body = data.encode() if isinstance(data, str) else data
        reply = self.fetch(method, url, place, self.timeout + _wait_s(query), body, headers)
        error = answers.classify(reply, place)
        # "Not found" is an answer to most of python-consul2's calls: the callback knows.
        if error is not None and not isinstance(error, errors.NotFound):
            raise error
        text = reply.body.decode("utf-8", "replace")
        try:
            return callback(base.Response(reply.status, reply.headers, text, reply.body))
        except base.ConsulException:
            raise error or answers.unusable(reply, place) from None
        except (ValueError, KeyError, TypeError, IndexError):
            raise answers.unusable(reply, place) from None


class Client(base.Consul):  # type: ignore[misc]  # python-consul2 has no types
    """A Consul to ask and to change, with python-consul2's calls (kv, catalog…) and our transport.

    Raises ConsulError when the connection's address or certificates cannot be used.
    """

    def __init__(self, connection: Connection, timeout_s: float = 10.0) -> None:
        self.connection = connection
        self.timeout_s = timeout_s
        self._target = Target(connection)
        self._transport = _Transport(self._target, timeout_s)
        super().__init__()
        # After the parent's constructor, so that nothing it has read somewhere stays.
        self.scheme = self._target.address.scheme
        self.token = connection.token or None
        self.dc = connection.datacenter or None

    def http_connect(self, *args: Any, **kwargs: Any) -> _Transport:
        """python-consul2 asks for its transport; it gets ours, whatever address it has in mind."""
        return self._transport

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back."""
        self._transport.close()

    def read(
        self,
        path: str,
        params: Params | None = None,
        *,
        consistency: Consistency = "default",
        timeout_s: float | None = None,
    ) -> Answer:
        """GETs and parses a path given as plain text; raises ConsulError."""
        place = self._target.place("GET", path)
        url = self._target.url(path, self._target.params(params, consistency))
        return answers.settle(
            self._transport.fetch("GET", url, place, timeout_s or self.timeout_s), place
        )

    def write(
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
        reply = self._transport.fetch(method, url, place, timeout_s or self.timeout_s, encode(body))
        return answers.settle(reply, place)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wait_s(query: Params) -> float:
    """How much longer a blocking query may take than any other: the wait and its jitter."""
    if "index" not in query:
        return 0.0
    match = _WAIT.match(query.get("wait", ""))
    wait_s = float(match[1]) * _UNITS_S[match[2]] if match else _DEFAULT_WAIT_S
    return wait_s * 17 / 16

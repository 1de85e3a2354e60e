"""What both transports derive from a Connection: URLs, headers and the TLS context."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

import orjson

from consulops.consulapi import errors, failures
from consulops.consulapi.connection import Address, BadAddress, Connection, parse_address
from consulops.consulapi.errors import Place

Consistency = Literal["default", "consistent", "stale"]
Params = Mapping[str, str]
# Bytes go as they are, anything else as JSON.
Body = bytes | dict[str, Any] | list[Any] | None

# gzip costs Consul six times the time of a large listing.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Target:
    """A Connection made ready to be asked; a fault in it shows as a typed error at the first call.

    Late on purpose: a watcher of a badly configured cluster must report that like any failure.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.headers = dict(_HEADERS)
        if connection.token:
            self.headers["X-Consul-Token"] = connection.token

    def place(self, method: str, path: str) -> Place:
        """Names a call in errors; without the query, which nobody needs to see."""
        return Place(self.connection.name, f"{method} {path}", self.connection.token)

    @cached_property
    def address(self) -> Address:
        """Where to connect; raises Unreachable when the text is no address."""
        try:
            return parse_address(self.connection.address)
        except BadAddress as error:
            # Not the address itself: people paste it with a password in it.
            raise self.place("open", "the address").error(
                errors.Unreachable, str(error), "Correct the address of the cluster."
            ) from None

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, None for http; raises TlsFailed for bad certificates."""
        return tls_context(self.connection) if self.address.scheme == "https" else None

    def url(self, path: str, params: Params, method: str = "GET") -> str:
        """The URL of a path given as plain text; raises BadRequest for one that would be changed.

        Clients and servers quietly turn `a/../x` into `x`, and `//` into `/`.
        """
        parts = path.split("/")
        if (
            parts[0]
            or any(part in ("", ".", "..") for part in parts[1:-1])
            or (parts[-1] in (".", ".."))
        ):
            raise self.place(method, path).error(
                errors.BadRequest,
                "This name has an empty part or a dot as a part, which a URL cannot carry.",
                "Use a transaction for such keys.",
            )
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        return f"{self.address}{quote(path, safe='/')}{query}"

    def params(self, given: Params | None, consistency: Consistency) -> dict[str, str]:
        """The query of a read: the caller's own, our datacenter, the consistency."""
        query = {"dc": self.connection.datacenter} if self.connection.datacenter else {}
        query |= given or {}
        if consistency != "default":
            query[consistency] = "1"
        return query


def encode(body: Body) -> bytes | None:
    """The bytes of a request's body."""
    return body if body is None or isinstance(body, bytes) else orjson.dumps(body)


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Trusts the given CA only (the system's when none is given); raises TlsFailed."""
    place = Place(connection.name, "open TLS", connection.token)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not connection.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if connection.ca_certificate:
            context.load_verify_locations(cadata=connection.ca_certificate)
        else:
            context.load_default_certs()
    # OpenSSL says "no PEM" in one of these ways, depending on how wrong the text is.
    except (ssl.SSLError, ValueError, TypeError):
        raise place.error(
            errors.TlsFailed, "The CA certificate is not a PEM certificate.", "Paste it again."
        ) from None
    if connection.client_certificate or connection.client_key:
        _load_client_certificate(context, connection, place)
    return context


def _load_client_certificate(context: ssl.SSLContext, connection: Connection, place: Place) -> None:
    if not (connection.client_certificate and connection.client_key):
        raise place.error(
            errors.TlsFailed,
            "A client certificate and its key belong together.",
            "Enter both or neither.",
        )
    pem = f"{connection.client_certificate.strip()}\n{connection.client_key.strip()}\n"
    try:
        with _as_file(pem.encode()) as path:
            # Without an own answer OpenSSL would ask for a pass phrase on the terminal.
            context.load_cert_chain(path, password="")
    except ssl.SSLError as error:
        reason = failures.readable(error)
        raise place.error(
            errors.TlsFailed,
            f"The client certificate and key cannot be used ({reason}).",
            "Paste both as PEM; the key must be the certificate's and have no pass phrase.",
        ) from None


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path for OpenSSL, which reads keys from files only: in memory where the system can."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with os.fdopen(os.memfd_create("pem"), "wb", buffering=0) as memory:
            memory.write(content)
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.NamedTemporaryFile(buffering=0) as file:
        file.write(content)
        yield file.name

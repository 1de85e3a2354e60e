"""Where a Consul answers and as whom we ask."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"http": 8500, "https": 8501}
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z")
_EXAMPLE = "for example http://127.0.0.1:8500"


class BadAddress(ValueError):
    """An address that cannot be Consul's, with one sentence that says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Address:
    """The three parts of a Consul address; an IPv6 host is kept without its brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connection:
    """One Consul datacenter: its address, its TLS files as PEM text, and our ACL token."""

    name: str
    address: str
    datacenter: str = ""
    token: str = field(default="", repr=False)
    ca_certificate: str = field(default="", repr=False)
    client_certificate: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)
    verify_tls: bool = True


def parse_address(text: str) -> Address:
    """Reads `http(s)://host[:port]`; anything more or less raises BadAddress."""
    if not text:
        raise BadAddress(f"The address is empty; enter one, {_EXAMPLE}.")
    if not text.isprintable() or any(character.isspace() for character in text):
        raise BadAddress("The address contains spaces or invisible characters; remove them.")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise BadAddress(
            f"The address has no scheme; begin it with http:// or https://, {_EXAMPLE}."
        )
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise BadAddress(f"The scheme “{scheme}” is not supported; use http or https.")
    # Before the parser, which stops at the first of these and would blame the wrong part.
    if "@" in rest:
        raise BadAddress(
            "The address contains a user name or an @; leave it out, a token has its own field."
        )
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError:
        raise BadAddress("The brackets do not hold an IPv6 address, such as [::1].") from None
    if parts.path not in ("", "/"):
        raise BadAddress("The address has a path; end it after the port.")
    if "?" in rest or "#" in rest:
        raise BadAddress("The address has a query or a fragment; end it after the port.")
    return Address(scheme, _host(parts), _port(parts, scheme))


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise BadAddress(f"The address has no host name, {_EXAMPLE}.")
    if "[" in parts.netloc:
        return _ipv6(host)
    if parts.netloc.count(":") > 1:
        raise BadAddress("Put an IPv6 address in brackets, for example http://[::1]:8500.")
    if not _HOSTNAME.match(host):
        raise BadAddress(
            "The host name contains a character that host names cannot have; "
            "use letters, digits, dots and dashes."
        )
    return host


def _ipv6(host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise BadAddress("The brackets do not hold an IPv6 address, such as [::1].") from None


def _port(parts: SplitResult, scheme: str) -> int:
    _, colon, text = parts.netloc.rpartition("]")[2].partition(":")
    if not colon:
        return DEFAULT_PORTS[scheme]
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise BadAddress("The port must be a number from 1 to 65535.")
    return int(text)

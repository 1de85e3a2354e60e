"""Where a Consul answers and as whom we ask."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

DEFAULT_PORTS = {"http": 8500, "https": 8501}
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z")
_NO_IPV6 = "The brackets do not hold an IPv6 address, such as [::1]."
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
    # Before all else: in what a password may contain, any other fault would be a wrong guess.
    if "@" in rest:
        raise BadAddress(
            "The address contains a user name or an @; leave it out, a token has its own field."
        )
    end = re.search(r"[/?#]", rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if "?" in tail or "#" in tail:
        raise BadAddress("The address has a query or a fragment; end it after the port.")
    if tail not in ("", "/"):
        raise BadAddress("The address has a path; end it after the port.")
    return _split(scheme, authority)


def _split(scheme: str, authority: str) -> Address:
    if authority.startswith("["):
        inside, bracket, after = authority[1:].partition("]")
        if not bracket:
            raise BadAddress(_NO_IPV6)
        if after and not after.startswith(":"):
            raise BadAddress("Only a colon and a port may come after the brackets.")
        return Address(scheme, _ipv6(inside), _port(after, scheme))
    if authority.count(":") > 1:
        raise BadAddress("Put an IPv6 address in brackets, for example http://[::1]:8500.")
    host, colon, port = authority.partition(":")
    if not host:
        raise BadAddress(f"The address has no host name, {_EXAMPLE}.")
    if not _HOSTNAME.match(host):
        raise BadAddress(
            "The host name contains a character that host names cannot have; "
            "use letters, digits, dots and dashes."
        )
    return Address(scheme, host.lower(), _port(colon + port, scheme))


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise BadAddress(_NO_IPV6) from None


def _port(text: str, scheme: str) -> int:
    """Reads what follows the host: nothing, or a colon and a number."""
    if not text:
        return DEFAULT_PORTS[scheme]
    digits = text[1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) < 65536):
        raise BadAddress("The port must be a number from 1 to 65535.")
    return int(digits)

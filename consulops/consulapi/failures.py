"""From an exception of a transport to a typed error: both bury the cause, so it is dug out."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from consulops.consulapi import errors
from consulops.consulapi.errors import ConsulError, Place

_CHECK_ADDRESS = "Check the address, and that Consul runs and listens there."
_OTHER_CA = "Enter the certificate of the CA that signed the server's."
_OTHER_NAME = "Use the host name that the certificate carries."
_PLAIN_SERVER = ("wrong_version_number", "record_layer_failure", "http_request", "unknown_protocol")
_WANTS_CERTIFICATE = ("certificate_required", "handshake_failure")
_REFUSES_CERTIFICATE = ("bad_certificate", "unknown_ca", "certificate_unknown")


def causes(exception: BaseException) -> Iterator[BaseException]:
    """The exception and everything it was made from, outermost first, each once."""
    waiting, seen = [exception], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        waiting += [each for each in inner if isinstance(each, BaseException)]


def translate(
    exception: BaseException, place: Place, timeout_s: float, *, tls: bool
) -> ConsulError:
    """Says which error an exception of requests or aiohttp stands for."""
    chain = list(causes(exception))
    for one in chain:
        # aiohttp wraps OpenSSL's error in one of the same type that lacks the reason.
        if isinstance(one, ssl.SSLError) and isinstance(getattr(one, "reason", None), str):
            return tls_failure(one, place)
    if any("timeout" in type(one).__name__.lower() for one in chain):
        return place.error(
            errors.TimedOut,
            f"No answer within {timeout_s:g} s.",
            "The server may be overloaded, frozen or behind a firewall.",
        )
    for one in chain:
        if isinstance(one, socket.gaierror | UnicodeError):
            return place.error(errors.Unreachable, "The host name is not known.", _CHECK_ADDRESS)
        if isinstance(one, OSError) and one.errno in _WORDS:
            return place.error(errors.Unreachable, _WORDS[one.errno], _CHECK_ADDRESS)
    return _by_name({type(one).__name__ for one in chain}, place, tls)


def tls_failure(error: ssl.SSLError, place: Place) -> errors.TlsFailed:
    """Says in words what OpenSSL says in codes."""
    reason = (error.reason or "").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        # 62 host name and 64 IP address mismatch; 10 expired (openssl/x509_vfy.h).
        said = {
            62: ("The certificate is for another host name.", _OTHER_NAME),
            64: ("The certificate is for another IP address.", _OTHER_NAME),
            10: ("The server's certificate has expired.", "Renew it."),
        }.get(error.verify_code, ("The server's certificate is not trusted.", _OTHER_CA))
        return place.error(errors.TlsFailed, *said)
    if any(word in reason for word in _PLAIN_SERVER):
        text, advice = "The server does not speak TLS.", "Begin the address with http://."
    elif any(word in reason for word in _WANTS_CERTIFICATE):
        text = "The server wants a client certificate."
        advice = "Enter a client certificate and its key."
    elif any(word in reason for word in _REFUSES_CERTIFICATE):
        text = "The server does not accept our client certificate."
        advice = "Enter one that the server's CA has signed."
    else:
        text = f"TLS failed ({readable(error)})."
        advice = "Check the certificates and the address."
    return place.error(errors.TlsFailed, text, advice)


def readable(error: ssl.SSLError) -> str:
    """OpenSSL's reason as words."""
    return (error.reason or "no reason given").lower().replace("_", " ")


def _by_name(names: set[str], place: Place, tls: bool) -> ConsulError:
    # By name, so that this module needs neither library.
    if names & {"ClientPayloadError", "IncompleteRead", "ContentDecodingError", "DecodeError"}:
        return place.error(
            errors.BadAnswer, "The answer broke off.", "The server or a proxy closed it too early."
        )
    if names & {"BadHttpMessage", "BadStatusLine", "LineTooLong", "ClientResponseError"} and not (
        names & {"RemoteDisconnected"}
    ):
        return place.error(errors.NotConsul, "The server does not answer in HTTP.", _CHECK_ADDRESS)
    # With TLS 1.3 a server turns a caller away after the handshake, and its reason may be lost.
    hint = " It may want a client certificate, or another than ours." if tls else ""
    return place.error(
        errors.Unreachable,
        "The server closed the connection without an answer.",
        f"{_CHECK_ADDRESS}{hint}",
    )


_WORDS = {
    errno.ECONNREFUSED: "Nobody listens there: connection refused.",
    errno.EHOSTUNREACH: "There is no route to the host.",
    errno.ENETUNREACH: "There is no route to its network.",
}

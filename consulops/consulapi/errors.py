"""What can go wrong with Consul, each as a type that says where and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar


class ConsulError(Exception):
    """A call that failed; its text names the cluster, the call and what to do, never a token."""

    def __init__(self, text: str, *, cluster: str, call: str, advice: str) -> None:
        super().__init__(text)
        self.text = text
        self.cluster = cluster
        self.call = call
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.cluster}: {self.call}: {self.text} {self.advice}".rstrip()


class Unreachable(ConsulError):
    """Nobody answers at the address."""


class TimedOut(ConsulError):
    """No whole answer within the call's deadline."""


class TlsFailed(ConsulError):
    """No trusted TLS connection: wrong CA, wrong host name, client certificate wanted."""


class PermissionDenied(ConsulError):
    """The token is known but lacks a right."""


class AclNotFound(ConsulError):
    """The cluster does not know the token."""


class AclDisabled(ConsulError):
    """The cluster runs without ACLs, so questions about tokens have no answer."""


class BadRequest(ConsulError):
    """Consul does not accept the call as it was made."""


class NotFound(ConsulError):
    """There is nothing at this path, or the token may not know that there is."""


class ServerError(ConsulError):
    """Consul failed inside; the call may succeed later."""


class NoLeader(ServerError):
    """The cluster has no leader, or the server that answered has lost it."""


class WrongDatacenter(ConsulError):
    """The agent knows no way to the datacenter of that name."""


class BadAnswer(ConsulError):
    """An answer that cannot be used: not JSON, broken off, a redirect, too large."""


class NotConsul(BadAnswer):
    """Something answers, but it is not Consul's HTTP API."""


ErrorType = TypeVar("ErrorType", bound=ConsulError)


@dataclass(frozen=True, slots=True)
class Place:
    """Which cluster was asked what: makes errors, and keeps the token out of their text."""

    cluster: str
    call: str
    token: str = field(default="", repr=False)

    def error(self, kind: type[ErrorType], text: str, advice: str) -> ErrorType:
        """Builds the error; servers may echo the token, so it is struck out everywhere."""
        return kind(
            self._clean(text),
            cluster=self.cluster,
            call=self._clean(self.call),
            advice=self._clean(advice),
        )

    def _clean(self, text: str) -> str:
        return text.replace(self.token, "(token)") if self.token else text

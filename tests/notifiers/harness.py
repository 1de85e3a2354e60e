"""What the contract test asks of each kind: a real receiver, and how it misbehaves."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

import trustme

from consulops.notifiers.base import AlertFacts, Message

# What a receiver can be told to do, and what the contract then expects of `send`.
ACCEPT = "accepts"
REFUSE = "refuses for good (4xx)"
BUSY = "is busy (429 with Retry-After: 7)"
BREAK = "breaks (5xx)"
HANG = "never answers"
REDIRECT = "redirects"
HANG_UP = "hangs up"


class Harness(ABC):
    """A receiver of one kind. The contract test enters it, and leaves nothing behind."""

    # Which of the cases above the receiver can play; a file does not hang, for example.
    cases: ClassVar[frozenset[str]]
    # False for a kind that makes no connection: then there is no "refused" and no TLS.
    connects: ClassVar[bool] = True
    speaks_tls: ClassVar[bool] = True
    # True for a kind that writes each alert of a message apart.
    texts_per_alert: ClassVar[bool] = False

    @abstractmethod
    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        """The receiver, with this certificate if there is one."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Settings that lead to the receiver, every secret among them."""

    @abstractmethod
    def behave(self, case: str) -> None:
        """What the receiver does from now on."""

    @abstractmethod
    def received(self) -> list[str]:
        """The readable text of each message that came in, decoded as a person would see it."""

    def unreachable(self, port: int) -> dict[str, Any]:
        """The settings with a port at which nobody listens."""
        raise NotImplementedError


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """A server's side of TLS with a certificate for loopback from this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


FACTS = AlertFacts(
    id=12,
    url="http://consulops.test/alerts/12/",
    check="web-1-http",
    status="critical",
    previous="passing",
    node="n1",
    service="web",
    service_id="web-1",
    name="HTTP",
    output="connection refused",
    tags=["blue", "v2"],
    since=datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC),
    cluster="dc1",
)
DELIVERY = "4b4f6e8e-7a1c-4f57-9d20-0c5f0f3c2a11"


def facts(**changes: Any) -> AlertFacts:
    return replace(FACTS, **changes)


def message(*alerts: AlertFacts, **changes: Any) -> Message:
    """A message about these alerts, or about the one above."""
    values: Mapping[str, Any] = {
        "id": DELIVERY,
        "reason": "opened",
        "cluster": "dc1",
        "route": "everything",
        **changes,
    }
    return Message(alerts=alerts or (FACTS,), **values)

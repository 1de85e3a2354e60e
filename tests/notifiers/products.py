"""Receivers that keep incidents as the products do, and refuse what those would refuse."""

from __future__ import annotations

import json
import ssl
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from tests.notifiers import harness
from tests.notifiers.harness import DELIVERY
from tests.notifiers.test_webhook import HttpHarness
from tests.receivers import Answer, Request, WebhookReceiver

_WORST_FIRST = ("critical", "error", "warning", "info")


class Refused(Exception):
    """What the product does not take, and the status it says so with."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Product(HttpHarness):
    """A product on loopback: what is open by key, and what was said about each."""

    texts_per_alert = True
    ok = Answer(202, '{"status": "success"}')

    def __init__(self) -> None:
        # The severity of each open incident, and what opened it last.
        self.open: dict[str, str] = {}
        self.bodies: dict[str, Any] = {}
        self._texts: list[tuple[str, str]] = []

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with WebhookReceiver(tls) as self.server:
            self.behave(harness.ACCEPT)
            yield self

    def behave(self, case: str) -> None:
        super().behave(case)
        if case == harness.ACCEPT:
            self.server.answer = self.answer

    def answer(self, request: Request) -> Answer:
        """What the product says, having done what was asked."""
        try:
            self.take(request)
        except Refused as error:
            return Answer(error.status, str(error))
        return self.ok

    @abstractmethod
    def take(self, request: Request) -> None:
        """Opens or closes. Raises Refused."""

    def opened(self, key: str, severity: str, body: Any) -> None:
        self.open[key], self.bodies[key] = severity, body
        self._texts.append((severity, json.dumps(body, ensure_ascii=False)))

    def closed(self, key: str, body: Any) -> None:
        self.open.pop(key, None)
        # The end of a test is the same message as its beginning.
        if f"test {DELIVERY}" not in key:
            self._texts.append(("info", json.dumps(body, ensure_ascii=False)))

    def received(self) -> list[str]:
        """As the product lists them: worst first."""
        return [text for _, text in sorted(self._texts, key=_rank)]


def _rank(said: tuple[str, str]) -> int:
    return _WORST_FIRST.index(said[0])


def need(condition: object, why: str, status: int = 400) -> None:
    if not condition:
        raise Refused(why, status)


def units(text: str) -> int:
    """The length of a text for those that count in UTF-16."""
    return len(text.encode("utf-16-le")) // 2

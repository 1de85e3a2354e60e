"""A receiver that refuses what the real product would refuse, for the kinds that speak HTTP."""

from __future__ import annotations

import html
import json
import ssl
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from tests.notifiers import harness
from tests.notifiers.test_webhook import HttpHarness
from tests.receivers import Answer, Request

GAP = "\u200b"


class Refused(Exception):
    """What the product answers to a request that it does not take: status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.answer = Answer(status, reason)


class Faithful(HttpHarness):
    """Answers as the product does, by its documented rules, until it is told to misbehave."""

    def __init__(self) -> None:
        self.taken: list[Request] = []

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with super().running(tls):
            self.server.answer = self._answer
            yield self

    def behave(self, case: str) -> None:
        self.taken.clear()
        super().behave(case)
        if case == harness.ACCEPT:
            self.server.answer = self._answer

    @abstractmethod
    def take(self, request: Request) -> Answer:
        """The answer to a proper request. Raises Refused for any other."""

    @property
    def base(self) -> str:
        return self.server.url.removesuffix("/hook")

    def bodies(self) -> list[dict[str, Any]]:
        """The JSON of each message that was taken."""
        return [one.json() for one in self.taken]

    def _answer(self, request: Request) -> Answer:
        try:
            answer = self.take(request)
        except Refused as error:
            return error.answer
        self.taken.append(request)
        return answer


def expect(condition: object, status: int, reason: str) -> None:
    """Refuses the request unless the condition holds."""
    if not condition:
        raise Refused(status, reason)


def answered(content: Mapping[str, Any], status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(content), {"Content-Type": "application/json", **headers})


def readable(text: str) -> str:
    """What a person sees of a text: neither escapes nor gaps."""
    plain = text.replace(GAP, "")
    for mark in "\\`*_[]()#|~>":
        plain = plain.replace(f"\\{mark}", mark)
    return plain


def shown_html(text: str) -> str:
    return html.unescape(text).replace(GAP, "")

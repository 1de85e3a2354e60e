"""The webhook: its documented body, its headers, its signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

from consulops.notifiers.base import SendError
from consulops.notifiers.config import ConfigError, from_config
from tests.notifiers import harness
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message
from tests.receivers import Answer, Request, WebhookReceiver

TOKEN = "Bearer s3cr3t-of-the-header"
SIGNING = "s3cr3t-that-signs"


class HttpHarness(harness.Harness):
    """A server on loopback; the kinds that speak HTTP share how it misbehaves."""

    cases = frozenset(
        {
            harness.REFUSE,
            harness.BUSY,
            harness.BREAK,
            harness.HANG,
            harness.REDIRECT,
            harness.HANG_UP,
        }
    )
    server: WebhookReceiver

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with WebhookReceiver(tls) as self.server:
            yield self

    def behave(self, case: str) -> None:
        self.server.requests.clear()
        answers: dict[str, Answer | Callable[[Request], Answer]] = {
            harness.ACCEPT: Answer(),
            harness.REFUSE: self._echo,
            harness.BUSY: Answer(429, "slow down", {"Retry-After": "7"}),
            harness.BREAK: Answer(503, "try later"),
            harness.HANG: Answer(hang=True),
            harness.REDIRECT: Answer(307, "", {"Location": self.server.url}),
            harness.HANG_UP: Answer(hang_up=True),
        }
        self.server.answer = answers[case]

    def accepted(self) -> list[Request]:
        """The requests, if they were answered well."""
        return self.server.requests if self.server.answer == Answer() else []

    @staticmethod
    def _echo(request: Request) -> Answer:
        """An error page that says all it was sent, as some do."""
        return Answer(404, f"Cannot {request.method} {request.path} {dict(request.headers)}")


class Harness(HttpHarness):
    @property
    def config(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "headers": {"Authorization": TOKEN, "X-Team": "s3cr3t-team"},
            "secret": SIGNING,
        }

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}/hook"}

    def received(self) -> list[str]:
        return [json.dumps(one.json(), ensure_ascii=False) for one in self.accepted()]


@pytest.fixture
def server() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as server:
        yield server


def test_body_is_the_documented_one_in_its_order(server: WebhookReceiver, send: Send) -> None:
    assert send("webhook", {"url": server.url}, message()) == "HTTP 200 OK: ok"
    got = server.next()
    assert got.method == "POST"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Idempotency-Key"] == DELIVERY
    body = got.json()
    assert list(body) == ["version", "id", "reason", "cluster", "route", "alerts"]
    assert body == {
        "version": 1,
        "id": DELIVERY,
        "reason": "opened",
        "cluster": "dc1",
        "route": "everything",
        "alerts": [
            {
                "id": 12,
                "url": "http://consulops.test/alerts/12/",
                "check": "web-1-http",
                "status": "critical",
                "previous": "passing",
                "node": "n1",
                "service": "web",
                "service_id": "web-1",
                "name": "HTTP",
                "output": "connection refused",
                "tags": ["blue", "v2"],
                "since": "2026-01-01T00:00:00.123Z",
            }
        ],
    }
    assert list(body["alerts"][0]) == list(facts().to_dict())


def test_output_is_not_escaped_as_html(server: WebhookReceiver, send: Send) -> None:
    send("webhook", {"url": server.url}, message(facts(output='say "hi" <b> & x')))
    assert server.next().json()["alerts"][0]["output"] == 'say "hi" <b> & x'


def test_headers_method_and_signature(server: WebhookReceiver, send: Send) -> None:
    config = {
        "url": server.url,
        "method": "PUT",
        "headers": f"Authorization: {TOKEN}\nX-Team: größe",
        "secret": SIGNING,
    }
    send("webhook", config, message())
    got = server.next()
    assert got.method == "PUT"
    assert got.headers["Authorization"] == TOKEN
    assert got.headers["X-Team"] == "größe"
    expected = hmac.new(SIGNING.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-ConsulOps-Signature"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed(server: WebhookReceiver, send: Send) -> None:
    send("webhook", {"url": server.url}, message())
    assert "X-ConsulOps-Signature" not in server.next().headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(status: int, server: WebhookReceiver, send: Send) -> None:
    server.answer = Answer(status, "")
    assert send("webhook", {"url": server.url}, message()).startswith(f"HTTP {status}")


def test_endless_answer_is_cut(server: WebhookReceiver, send: Send) -> None:
    server.answer = Answer(500, "x" * 5_000_000)
    with pytest.raises(SendError) as caught:
        send("webhook", {"url": server.url}, message())
    assert len(caught.value.text) < 400


def test_host_that_does_not_exist(send: Send) -> None:
    with pytest.raises(SendError, match="cannot be resolved") as caught:
        send("webhook", {"url": "http://nobody.invalid/hook"}, message())
    assert not caught.value.permanent


def test_tls_to_a_server_without_it(server: WebhookReceiver, send: Send) -> None:
    with pytest.raises(SendError, match=r"^TLS: ") as caught:
        send("webhook", {"url": server.url.replace("http:", "https:")}, message())
    assert not caught.value.permanent


@pytest.mark.parametrize(
    "url",
    [
        "http://alertmanager:9093/api",
        "https://example.org",
        "http://10.0.0.1",
        "http://[::1]:80/a?b=c",
        "http://bücher.example/ü",
    ],
)
def test_address_may_be_private_or_bare(url: str) -> None:
    config, _ = from_config("webhook", {"url": url})
    assert config["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/hook",
        "ftp://example.org",
        "http://",
        "http://a b/",
        "http://a\r\nX: y/",
        "http://host:99999/",
        "http://user:pw@example.org/",
        "http://[::1/",
        "javascript:alert(1)",
    ],
)
def test_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("webhook", {"url": url})
    assert list(caught.value.errors) == ["url"]


@pytest.mark.parametrize(
    "headers",
    [
        "no colon s3cr3t",
        "Bad Name: s3cr3t",
        ": s3cr3t",
        "Host: s3cr3t",
        "content-type: s3cr3t",
        '{"X": 1}',
        '{"X": "s3cr3t"',
        {"X": "s3cr3t\r\nY: z"},
        {"X": "s3cr3t\x00"},
    ],
)
def test_headers_that_cannot_be_sent(headers: object) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("webhook", {"url": "http://example.org", "headers": headers})
    assert list(caught.value.errors) == ["headers"]
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "headers", ["A: 1\n\nB:  2 ", '{"A": "1", "B": "2"}', {"A": "1", "B": "2"}]
)
def test_headers_are_secret_in_every_form(headers: object) -> None:
    config, secrets = from_config("webhook", {"url": "http://example.org", "headers": headers})
    assert secrets == {"headers": {"A": "1", "B": "2"}}
    assert "headers" not in config

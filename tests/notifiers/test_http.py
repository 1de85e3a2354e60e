"""The HTTP request: any method, sign-in, body and idea of success."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from consulops.notifiers import samples
from consulops.notifiers.base import Message, SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.http import Http
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message
from tests.notifiers.test_webhook import HttpHarness
from tests.receivers import Answer, Request, WebhookReceiver

PASSWORD, TOKEN = "s3cr3t-of-the-user", "s3cr3t-token"


class Harness(HttpHarness):
    @property
    def config(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "headers": {"X-Team": "s3cr3t-team"},
            "authentication": "basic",
            "username": "ada",
            "password": PASSWORD,
            "token": TOKEN,
            "secret": "s3cr3t-that-signs",
        }

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}/hook"}

    def received(self) -> list[str]:
        return [json.dumps(one.json(), ensure_ascii=False) for one in self.accepted()]


@pytest.fixture
def server() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as server:
        yield server


def sent(
    server: WebhookReceiver,
    send: Send,
    about: Message | None = None,
    body: str = "",
    **config: Any,
) -> Request:
    send("http", {"url": server.url, **config}, about or message(), wording=Wording(body=body))
    return server.next()


def test_without_a_template_the_body_is_that_of_a_webhook(
    server: WebhookReceiver, send: Send
) -> None:
    got = sent(server, send)
    assert got.method == "POST"
    assert got.json() == message().to_dict()
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Idempotency-Key"] == DELIVERY


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
def test_methods(method: str, server: WebhookReceiver, send: Send) -> None:
    got = sent(server, send, method=method, body='{"node": {{ alert.node|tojson }}}')
    assert (got.method, got.json()) == (method, {"node": "n1"})


@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_methods_without_a_body_have_none_by_themselves(
    method: str, server: WebhookReceiver, send: Send
) -> None:
    got = sent(server, send, method=method, secret="key")
    assert got.body == b""
    assert "Content-Type" not in got.headers or got.headers["Content-Type"] != "application/json"
    expected = hmac.new(b"key", b"", hashlib.sha256).hexdigest()
    assert got.headers["X-ConsulOps-Signature"] == f"sha256={expected}"


def test_output_needs_no_care_in_json(server: WebhookReceiver, send: Send) -> None:
    """What consul-alerts gets wrong: it escapes quotes for HTML, inside JSON."""
    odd = facts(output='say "hi" <b> & x\n\\end')
    body = '{"text": {{ alert.output|tojson }}, "all": {{ alerts|tojson }}, "deep": {"n": 1}}'
    got = sent(server, send, message(odd), body=body).json()
    assert got["text"] == 'say "hi" <b> & x\n\\end'
    assert got["all"] == [odd.to_dict()]
    assert got["deep"] == {"n": 1}


def test_any_other_content_type(server: WebhookReceiver, send: Send) -> None:
    got = sent(server, send, body="üser {{ title }}", content_type="text/plain; charset=utf-8")
    assert got.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert got.body.decode() == "üser CRITICAL web on n1: HTTP"


def test_signature_is_of_the_raw_body(server: WebhookReceiver, send: Send) -> None:
    got = sent(server, send, body='{"ü": 1}', secret="key")
    expected = hmac.new(b"key", got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-ConsulOps-Signature"] == f"sha256={expected}"


def test_basic_authentication(server: WebhookReceiver, send: Send) -> None:
    got = sent(server, send, authentication="basic", username="zoë", password=" p:w ")
    kind, _, encoded = got.headers["Authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(encoded).decode() == "zoë: p:w "


def test_bearer_token(server: WebhookReceiver, send: Send) -> None:
    got = sent(server, send, authentication="bearer", token=TOKEN)
    assert got.headers["Authorization"] == f"Bearer {TOKEN}"


def test_settings_of_another_authentication_are_not_sent(
    server: WebhookReceiver, send: Send
) -> None:
    got = sent(server, send, username="ada", password=PASSWORD, token=TOKEN)
    assert "Authorization" not in got.headers


def test_answer_that_echoes_the_password_is_cut(server: WebhookReceiver, send: Send) -> None:
    server.answer = lambda request: Answer(403, str(dict(request.headers)))
    config = {"url": server.url, "authentication": "basic", "username": "u", "password": PASSWORD}
    with pytest.raises(SendError) as caught:
        send("http", config, message())
    assert base64.b64encode(f"u:{PASSWORD}".encode()).decode() not in caught.value.text
    assert "•••" in caught.value.text


@pytest.mark.parametrize("status", [200, 201, 204])
def test_any_2xx_is_taken(status: int, server: WebhookReceiver, send: Send) -> None:
    server.answer = Answer(status, "")
    sent(server, send)


@pytest.mark.parametrize(("accepted", "status"), [("200,409", 409), ("200-204", 203), ("302", 302)])
def test_accepted_status_codes(
    accepted: str, status: int, server: WebhookReceiver, send: Send
) -> None:
    server.answer = Answer(status, "")
    sent(server, send, accepted=accepted)


@pytest.mark.parametrize(("status", "permanent"), [(202, True), (404, True), (503, False)])
def test_other_status_codes_are_refused(
    status: int, permanent: bool, server: WebhookReceiver, send: Send
) -> None:
    server.answer = Answer(status, "later")
    with pytest.raises(SendError, match=f"HTTP {status}") as caught:
        sent(server, send, accepted="200")
    assert caught.value.permanent is permanent


def test_template_that_makes_no_json_falls_back(
    server: WebhookReceiver, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        got = sent(
            server, send, body='{"text": "{{ alert.node }}"}', about=message(facts(node='"'))
        )
    assert got.json()["version"] == 1
    assert "The body is no JSON" in caplog.text


@pytest.mark.parametrize(
    ("body", "content_type", "wrong"),
    [
        ('{"text": "{{ alert.output }}"}', "application/json", "The body is no JSON"),
        ("{{ title }}", "application/vnd.api+json; charset=utf-8", "The body is no JSON"),
        ("[" * 6000, "application/json", "nested too deeply"),
        ('{"text": {{ alert.output|tojson }}}', "application/json", ""),
        ('{"text": "{{ alert.output }}"}', "text/plain", ""),
    ],
)
def test_json_is_checked_when_saved(body: str, content_type: str, wrong: str) -> None:
    found = samples.problems(Http, {"content_type": content_type}, Wording(body=body))
    assert wrong in "".join(found.get("body_template", [""]))
    assert bool(found) is bool(wrong)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"method": "HEAD"}, "method"),
        ({"authentication": "basic", "username": "a"}, "password"),
        ({"authentication": "basic", "password": "a"}, "username"),
        ({"authentication": "basic", "username": "a:b", "password": "c"}, "username"),
        ({"authentication": "bearer"}, "token"),
        (
            {"authentication": "bearer", "token": "t", "headers": "authorization: x"},
            "headers",
        ),
        ({"content_type": "json"}, "content_type"),
        ({"content_type": "text/plain\nX: y"}, "content_type"),
        ({"accepted": "2xx"}, "accepted"),
        ({"accepted": "204-200"}, "accepted"),
        ({"accepted": "200 600"}, "accepted"),
    ],
)
def test_settings_that_cannot_be_used(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("http", {"url": "http://h/", **changes})
    assert list(caught.value.errors) == [field]

"""AWS SNS: what is published, with which keys, and what its errors mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest

from consulops.notifiers.base import Message, SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.wording import Wording
from tests.notifiers import harness, sns
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message
from tests.notifiers.test_webhook import HttpHarness
from tests.receivers import Answer, Request, WebhookReceiver

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
KEYS = {"access_key": "AKIAS3CR3T", "secret_key": "s3cr3t-of-aws"}


class Harness(HttpHarness):
    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with super().running(tls):
            self.server.answer = sns.accept
            yield self

    @property
    def config(self) -> dict[str, Any]:
        return {"topic_arn": TOPIC, "endpoint": self.server.url.removesuffix("/hook"), **KEYS}

    def behave(self, case: str) -> None:
        super().behave(case)
        answers: dict[str, Answer | Callable[[Request], Answer]] = {
            harness.ACCEPT: sns.accept,
            harness.REFUSE: self._refuse,
            harness.BREAK: sns.error(500, "InternalError", "try later"),
        }
        self.server.answer = answers.get(case, self.server.answer)

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"topic_arn": TOPIC, "endpoint": f"http://127.0.0.1:{port}", **KEYS}

    def received(self) -> list[str]:
        if self.server.answer is not sns.accept:
            return []
        published = [sns.publication(one) for one in self.server.requests]
        return [f"{one['Subject']}\n{one['Message']}" for one in published]

    @staticmethod
    def _refuse(request: Request) -> Answer:
        echo = f"User AKIAS3CR3T with {KEYS['secret_key']} may not publish"
        return sns.error(403, "AuthorizationError", echo)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookReceiver]:
    # A machine that runs tests may have keys and a profile of its own.
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with WebhookReceiver() as server:
        server.answer = sns.accept
        yield server


def config(server: WebhookReceiver, **changes: Any) -> dict[str, Any]:
    endpoint = server.url.removesuffix("/hook")
    return {"topic_arn": TOPIC, "endpoint": endpoint, **KEYS, **changes}


def published(
    server: WebhookReceiver, send: Send, about: Message, wording: Wording, **changes: Any
) -> dict[str, str]:
    assert send("sns", config(server, **changes), about, wording=wording) == "Published as sns-1"
    return sns.publication(server.next())


PLAIN = Wording()


def test_publication(server: WebhookReceiver, send: Send) -> None:
    got = published(server, send, message(), PLAIN)
    assert got["TopicArn"] == TOPIC
    assert got["Subject"] == "CRITICAL web on n1: HTTP"
    assert "connection refused" in got["Message"]
    assert (got["@key"], got["@region"]) == ("AKIAS3CR3T", "eu-central-1")
    assert {name: got[f"@{name}"] for name in ("cluster", "status", "reason", "route")} == {
        "cluster": "dc1",
        "status": "critical",
        "reason": "opened",
        "route": "everything",
    }
    assert "MessageGroupId" not in got


def test_empty_attribute_is_left_out(server: WebhookReceiver, send: Send) -> None:
    assert "@route" not in published(server, send, message(route=""), PLAIN)


def test_region_of_its_own(server: WebhookReceiver, send: Send) -> None:
    assert published(server, send, message(), PLAIN, region="us-east-1")["@region"] == "us-east-1"


def test_keys_of_the_machine(
    server: WebhookReceiver, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    got = published(server, send, message(), PLAIN, access_key="", secret_key="")
    assert got["@key"] == "AKIAMACHINE"


def test_with_keys_nobody_else_is_asked(
    server: WebhookReceiver, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        asked.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    published(server, send, message(), PLAIN, region="eu-west-3")
    assert {address for address in asked if address[0] != "127.0.0.1"} == set()
    assert ("127.0.0.1", server.port) in asked


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("Prüfung „é“ ↯", 'Prufung ?e? ?'),
        ("a\n\nb\x00\tc", "a b c"),
        ("x" * 300, "x" * 97 + "..."),
        ("{{ '' }}", "ConsulOps"),
    ],
)  # fmt: skip
def test_subject_is_short_ascii_on_one_line(
    subject: str, told: str, server: WebhookReceiver, send: Send
) -> None:
    got = published(server, send, message(), Wording(subject=subject))
    assert got["Subject"] == told


def test_own_body(server: WebhookReceiver, send: Send) -> None:
    got = published(server, send, message(), Wording(body="{{ alert.node }} — {{ counts }}"))
    assert got["Message"] == "n1 — 1 critical"


def test_large_message_is_cut_between_characters(server: WebhookReceiver, send: Send) -> None:
    got = published(server, send, message(), Wording(body="{{ '€' * 200000 }}"))
    assert 250_000 < len(got["Message"].encode()) < 262_144
    assert got["Message"].replace("€", "") == "…"


def test_fifo_topic(server: WebhookReceiver, send: Send) -> None:
    fifo = f"{TOPIC}.fifo"
    first = published(server, send, message(), PLAIN, topic_arn=fifo)
    assert first["MessageDeduplicationId"] == DELIVERY
    again = message(facts(status="passing"), reason="resolved")
    other = message(facts(check="web 1 €"))
    several = message(facts(), facts(node="n2"))
    groups = [
        published(server, send, one, PLAIN, topic_arn=fifo)["MessageGroupId"]
        for one in (again, other, several)
    ]
    assert groups[0] == first["MessageGroupId"]
    assert len({*groups}) == 3


@pytest.mark.parametrize(
    ("status", "code", "permanent"),
    [
        (403, "AuthorizationError", True),
        (404, "NotFound", True),
        (403, "InvalidClientTokenId", True),
        (400, "InvalidParameter", True),
        (400, "Throttling", False),
        (400, "KMSThrottling", False),
        (429, "Throttled", False),
        (500, "InternalError", False),
        (503, "ServiceUnavailable", False),
    ],
)
def test_errors(
    status: int, code: str, permanent: bool, server: WebhookReceiver, send: Send
) -> None:
    server.answer = sns.error(status, code, "no")
    with pytest.raises(SendError) as caught:
        send("sns", config(server), message())
    assert caught.value.text == f"AWS: {code}: no"
    assert caught.value.permanent is permanent
    # We try again ourselves.
    assert len(server.requests) == 1


def test_answer_of_something_else(server: WebhookReceiver, send: Send) -> None:
    server.answer = Answer(200, "welcome to the guest network")
    with pytest.raises(SendError, match="not one of SNS") as caught:
        send("sns", config(server), message())
    assert not caught.value.permanent


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"topic_arn": "alerts"}, "topic_arn"),
        ({"topic_arn": f"{TOPIC}\n"}, "topic_arn"),
        ({"topic_arn": f"x{TOPIC}"}, "topic_arn"),
        ({"region": "eu central"}, "region"),
        ({"endpoint": "sns.local"}, "endpoint"),
        ({"access_key": "AKIA"}, "secret_key"),
        ({"secret_key": "s3cr3t"}, "access_key"),
    ],
)
def test_settings_that_cannot_be_used(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("sns", {"topic_arn": TOPIC, **changes})
    assert list(caught.value.errors) == [field]

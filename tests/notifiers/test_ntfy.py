"""ntfy: how loud a message is, where it leads, and who may publish it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from consulops.notifiers.base import Message
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.ntfy import Ntfy
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, answered, expect
from tests.notifiers.harness import facts, message
from tests.receivers import Answer, Request

TOKEN, PASSWORD, TOPIC = "tk_s3cr3tToken", "passw0rd-of-ada", "t0pic-nobody-guesses"
BASIC = "Basic " + b64encode(f"ada:{PASSWORD}".encode()).decode()


class Harness(Faithful):
    @property
    def config(self) -> dict[str, Any]:
        return {
            "url": self.base,
            "topic": TOPIC,
            "token": TOKEN,
            "username": "ada",
            "password": PASSWORD,
        }

    def unreachable(self, port: int) -> dict[str, Any]:
        return {**self.config, "url": f"http://127.0.0.1:{port}"}

    def take(self, request: Request) -> Answer:
        expect(request.path == "/", 404, "page not found")
        login = request.headers.get("Authorization")
        expect(login in {f"Bearer {TOKEN}", BASIC}, 403, '{"error":"forbidden"}')
        body = request.json()
        expect(body["topic"] == TOPIC, 400, "invalid topic")
        expect(body["priority"] in range(1, 6), 400, "invalid priority")
        expect(len(body["message"].encode()) <= 4096, 400, "message too long")
        return answered({"id": "x", "topic": body["topic"]})

    def received(self) -> list[str]:
        return ["\n".join((one["title"], one["message"], one["click"])) for one in self.bodies()]


def payload(message: Message, subject: str = "", body: str = "") -> dict[str, Any]:
    return Ntfy({"topic": "t"}, Wording(subject, body)).payload(message)


def test_one_alert() -> None:
    assert payload(message()) == {
        "topic": "t",
        "title": "CRITICAL web on n1: HTTP",
        "message": "CRITICAL web on n1: HTTP\nsince 2026-01-01 00:00:00 UTC\nconnection refused\n\n"
        "Cluster dc1 · route everything",
        "priority": 5,
        "tags": ["rotating_light"],
        "click": "http://consulops.test/alerts/12/",
    }


@pytest.mark.parametrize(
    ("status", "priority", "tag"),
    [
        ("warning", 4, "warning"),
        ("passing", 3, "white_check_mark"),
        ("gone", 2, "heavy_minus_sign"),
        ("maintenance", 2, "wrench"),
        ("", 4, "question"),
    ],
)
def test_loudness_follows_the_state(status: str, priority: int, tag: str) -> None:
    body = payload(message(facts(status=status)))
    assert (body["priority"], body["tags"]) == (priority, [tag])


def test_worst_alert_decides_and_opens() -> None:
    worst = facts(url="http://consulops.test/alerts/13/")
    body = payload(message(facts(status="passing"), worst))
    assert (body["priority"], body["click"]) == (5, worst.url)


def test_longest_message_fits() -> None:
    alerts = [facts(node=f"n{n}", name="€" * 300, output="€\n" * 9000) for n in range(100)]
    said = payload(message(*alerts))["message"]
    assert len(said.encode()) <= 4000
    assert "… and " in said


def test_own_words_take_the_place_of_the_alerts() -> None:
    body = payload(message(), "{{ counts }}", "{{ alert.node }}: {{ alert.output }}")
    assert body["title"] == "1 critical"
    assert body["message"] == "n1: connection refused\n\nCluster dc1 · route everything"


def test_user_publishes_with_a_password(send: Send) -> None:
    with Harness().running() as receiver:
        config = {name: value for name, value in receiver.config.items() if name != "token"}
        send("ntfy", config, message())
        assert receiver.taken[0].headers["Authorization"] == BASIC


def test_public_topic_needs_nobody(send: Send) -> None:
    with Harness().running() as receiver:
        receiver.server.answer = Answer()
        send("ntfy", {"url": receiver.base + "/", "topic": TOPIC}, message())
        (request,) = receiver.server.requests
    assert "Authorization" not in request.headers
    assert request.path == "/"


@pytest.mark.parametrize(
    ("config", "field"),
    [({"topic": "a b"}, "topic"), ({"topic": "a", "username": "ada"}, "password")],
)
def test_settings_that_cannot_be_used(config: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("ntfy", config)
    assert list(caught.value.errors) == [field]

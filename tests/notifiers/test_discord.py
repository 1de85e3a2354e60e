"""Discord: embeds within its limits, and nobody who is mentioned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consulops.notifiers.base import Message, SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.discord import Discord
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, answered, expect, readable
from tests.notifiers.harness import facts, message
from tests.receivers import Answer, Request

PATH = "/api/v10/webhooks/1234/s3cr3t-token-of-the-hook"
LIMITS = {"title": 256, "description": 4096, "url": 2048}


class Harness(Faithful):
    @property
    def config(self) -> dict[str, Any]:
        return {"url": self.base + PATH}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}{PATH}"}

    def take(self, request: Request) -> Answer:
        expect(request.path == f"{PATH}?wait=true", 404, '{"message": "Unknown Webhook"}')
        body = request.json()
        embeds = body["embeds"]
        expect(0 < len(body["content"]) <= 2000, 400, "content")
        expect(len(embeds) <= 10, 400, "too many embeds")
        for embed in embeds:
            for name, most in LIMITS.items():
                expect(0 < len(embed[name]) <= most, 400, name)
        texts = [text for embed in embeds for text in (embed["title"], embed["description"])]
        texts += [embed["footer"]["text"] for embed in embeds if "footer" in embed]
        expect(sum(map(len, texts)) <= 6000, 400, "too long")
        return answered({"id": "1"})

    def received(self) -> list[str]:
        return [shown(body) for body in self.bodies()]


def shown(body: dict[str, Any]) -> str:
    parts = [body["content"]]
    for embed in body["embeds"]:
        parts += [embed["title"], embed["url"], embed["description"]]
    return readable("\n".join(parts))


def payload(message: Message, subject: str = "", body: str = "", **config: Any) -> dict[str, Any]:
    return Discord({"url": "https://h/", **config}, Wording(subject, body)).payload(message)


def test_alert_is_an_embed_in_its_colour() -> None:
    body = payload(message(facts(status="passing", output=""), facts()))
    assert body["content"] == "**2 alerts in dc1: 1 critical, 1 resolved**"
    assert body["embeds"] == [
        {
            "title": "CRITICAL web on n1: HTTP",
            "url": "http://consulops.test/alerts/12/",
            "description": "```\nconnection refused\n```",
            "color": 0xC92A2A,
            "timestamp": "2026-01-01T00:00:00.123000+00:00",
        },
        {
            "title": "RESOLVED web on n1: HTTP",
            "url": "http://consulops.test/alerts/12/",
            "description": "since 2026-01-01 00:00:00 UTC",
            "color": 0x2B8A3E,
            "timestamp": "2026-01-01T00:00:00.123000+00:00",
            "footer": {"text": "Cluster dc1 · route everything"},
        },
    ]


def test_nobody_is_mentioned_and_nothing_becomes_a_link() -> None:
    odd = "@everyone <@123> [x](http://evil.test) ||*b*||"
    body = payload(message(facts(name=odd, output=f"{odd}\n```\n<@&9>")))
    assert body["allowed_mentions"] == {"parse": []}
    (embed,) = body["embeds"]
    for text in (body["content"], embed["title"]):
        assert not [bad for bad in ("@everyone", "<@", "://", "](", "||*") if bad in text]
    assert embed["description"].count("```") == 2


def test_longest_message_fits_and_the_rest_is_counted() -> None:
    alerts = [facts(node=f"n{n}", name="*" * 300, output="`x\n" * 9000) for n in range(40)]
    with Harness().running() as receiver:
        body = payload(message(*alerts, route="r" * 500))
        request = Request(0, "POST", f"{PATH}?wait=true", {}, json.dumps(body).encode())
        receiver.take(request)
    shown = len(body["embeds"])
    left = 40 - shown
    expected = f"… and {left} more: {left} critical · Cluster dc1"
    assert body["embeds"][-1]["footer"]["text"].startswith(expected)


def test_own_words_take_the_place_of_the_alerts() -> None:
    body = payload(message(facts(), facts(node="n2")), "{{ counts }}", "*{{ alert.node }}* @here")
    assert body["content"] == "**2 critical**"
    (embed,) = body["embeds"]
    assert embed["description"] == "\\*n1\\* @\u200bhere"


def test_looks_travel_only_when_they_are_set() -> None:
    looks = {"username": "Consul", "avatar_url": "https://example.org/a.png"}
    assert looks.items() <= payload(message(), **looks).items()
    assert not looks.keys() & payload(message()).keys()


@pytest.mark.parametrize("name", ["Discord bot", "my CLYDE"])
def test_name_that_discord_refuses(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("discord", {"url": "https://h/", "username": name})
    assert list(caught.value.errors) == ["username"]


def test_address_gets_the_version_that_tells_waits_in_seconds() -> None:
    _, secrets = from_config("discord", {"url": "https://discord.com/api/webhooks/1/abc"})
    assert secrets == {"url": "https://discord.com/api/v10/webhooks/1/abc"}
    assert from_config("discord", secrets)[1] == secrets


def test_busy_discord_says_in_its_answer_when_to_come_back(send: Send) -> None:
    with Harness().running() as receiver:
        receiver.server.answer = Answer(429, '{"message": "slow", "retry_after": 0.75}')
        with pytest.raises(SendError) as caught:
            send("discord", receiver.config, message())
    assert caught.value.retry_after_s == 0.75

"""Microsoft Teams: the card, its limit, and text that stays text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from consulops.notifiers.base import Message
from consulops.notifiers.kinds.teams import Teams
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, expect
from tests.notifiers.harness import facts, message
from tests.receivers import Answer, Request

PATH = "/workflows/0a1b/triggers/manual/paths/invoke"
QUERY = "?api-version=1&sig=s3cr3tSignature"


class Harness(Faithful):
    @property
    def config(self) -> dict[str, Any]:
        return {"url": f"{self.base}{PATH}{QUERY}"}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}{PATH}"}

    def take(self, request: Request) -> Answer:
        expect(request.path == PATH + QUERY, 401, "DirectApiAuthorizationRequired")
        expect(len(request.body) <= 28 * 1024, 413, "RequestEntityTooLarge")
        for run in runs(request.json()):
            expect(run["text"], 400, "a run needs text")
        return Answer(202, "")

    def received(self) -> list[str]:
        return ["\n".join(map(str, values(body))) for body in self.bodies()]


def card_of(body: dict[str, Any]) -> dict[str, Any]:
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    content: dict[str, Any] = attachment["content"]
    return content


def values(node: Any) -> Iterator[str]:
    """Every text and address of a card."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in {"text", "url"}:
                yield value
            yield from values(value)
    elif isinstance(node, list):
        for one in node:
            yield from values(one)


def runs(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "TextRun":
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from runs(one)


def payload(message: Message, subject: str = "", body: str = "") -> dict[str, Any]:
    return Teams({}, Wording(subject, body)).payload(message)


def test_alert_is_a_box_in_the_look_of_its_state() -> None:
    card = card_of(payload(message(facts(status="warning"), facts(output="one\n\ntwo"))))
    head, critical, warning, source = card["body"]
    assert [run["text"] for run in runs(head)] == ["2 alerts in dc1: 1 critical, 1 warning"]
    assert (critical["style"], warning["style"]) == ("attention", "warning")
    texts = [run["text"] for run in runs(critical)]
    assert texts[:2] == ["CRITICAL web on n1: HTTP", "since 2026-01-01 00:00:00 UTC"]
    assert texts[2:] == ["one", " ", "two"]
    title = next(runs(critical))
    assert title["selectAction"]["url"] == "http://consulops.test/alerts/12/"
    assert [run["text"] for run in runs(source)] == ["Cluster dc1 · route everything"]


def test_marks_of_a_check_are_never_where_markdown_is_read() -> None:
    odd = "**b** [x](http://evil.test) <at>Ada</at>"
    body = payload(message(facts(name=odd, output=odd), route=odd), odd)
    # Only a TextBlock reads Markdown, and only declared entities are mentions.
    assert '"TextBlock"' not in json.dumps(body)
    assert "entities" not in card_of(body)["msteams"]
    assert odd in next(runs(body))["text"]


def test_any_number_of_alerts_fits() -> None:
    # Close to the limit too: each of these is a little larger than the one before.
    for count in range(1, 21):
        alerts = [facts(output="€" * 600)] * count
        assert len(json.dumps(payload(message(*alerts)))) <= 28 * 1024


def test_hundred_long_alerts_fit() -> None:
    alerts = [facts(node=f"n{n}", name="€" * 300, output="€ x\n" * 5000) for n in range(100)]
    body = payload(message(*alerts))
    assert len(json.dumps(body)) <= 28 * 1024
    texts = list(values(body))
    assert any(text.startswith("… and ") for text in texts)
    assert sum("on n" in text for text in texts) >= 8


def test_own_words_take_the_place_of_the_alerts() -> None:
    body = payload(message(), "{{ route }}!", "one\n\n**two** {{ alert.node }}")
    texts = [run["text"] for run in runs(body)]
    assert texts[:4] == ["everything!", "one", " ", "**two** n1"]
    assert "http://consulops.test/alerts/12/" in values(body)


def test_accepted_is_enough(send: Send) -> None:
    with Harness().running() as receiver:
        assert send("teams", receiver.config, message()) == "HTTP 202 Accepted"

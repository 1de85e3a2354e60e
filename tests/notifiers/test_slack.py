"""Slack: what a message looks like, and what cannot break out of it."""

from __future__ import annotations

import html
import json
from typing import Any

from consulops.notifiers.kinds.slack import payload
from tests.notifiers.harness import facts, message
from tests.notifiers.test_webhook import HttpHarness


class Harness(HttpHarness):
    @property
    def config(self) -> dict[str, Any]:
        return {"url": self.server.url.replace("/hook", "/services/T000/B000/s3cr3tPath")}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}/services/T000/B000/s3cr3tPath"}

    def received(self) -> list[str]:
        return [
            html.unescape("\n".join([one.json()["text"], *texts_of(one.json())]))
            for one in self.accepted()
        ]


def texts_of(body: dict[str, Any]) -> list[str]:
    """The text of each block."""
    return [
        block["elements"][0]["text"] if block["type"] == "context" else block["text"]["text"]
        for block in body["blocks"]
    ]


def test_one_alert() -> None:
    body = payload(message())
    assert body["text"] == "CRITICAL web on n1: HTTP"
    head, alert, source = texts_of(body)
    assert head == "CRITICAL web on n1: HTTP"
    assert alert.startswith(
        ":red_circle: <http://consulops.test/alerts/12/|CRITICAL web on n1: HTTP>"
    )
    assert "```connection refused```" in alert
    assert "<!date^1767225600^" in alert
    assert source == "Cluster dc1 · route everything"


def test_hundred_alerts_worst_first_within_slacks_limits() -> None:
    alerts = [facts(id=n, node=f"n{n}", status="warning", output="x" * 9000) for n in range(99)]
    body = payload(message(*alerts, facts(node="worst")))
    assert body["text"] == "100 alerts in dc1: 1 critical, 99 warning"
    texts = texts_of(body)
    assert len(texts) <= 50
    assert max(map(len, texts)) <= 3000
    assert "CRITICAL web on worst" in texts[1]
    assert texts[-2] == "… and 80 more: 80 warning"
    # Slack refuses a larger request.
    assert len(json.dumps(body)) < 100_000


def test_nobody_is_mentioned_by_a_check() -> None:
    shout = "<!channel> <@U123> <http://evil.test|click> & |"
    body = payload(message(facts(name=shout, output=shout, node=shout), route=shout))
    for text in [body["text"], *texts_of(body)[1:]]:
        assert "<!channel>" not in text
        assert "<@U123>" not in text
        assert "<http://evil" not in text
    # Text of a header is plain: there nothing is escaped, because nothing is read as a mark.
    assert "<!channel>" in texts_of(body)[0]


def test_output_cannot_end_its_code_block() -> None:
    _, alert, _ = texts_of(payload(message(facts(output="a ``` *bold* ```"))))
    assert alert.count("```") == 2


def test_output_of_line_ends_keeps_its_lines() -> None:
    _, alert, _ = texts_of(payload(message(facts(output="one\ntwo\x00\n" + "x\n" * 100))))
    assert "```one\ntwo\nx" in alert
    assert len(alert.splitlines()) < 20


def test_output_of_escapes_stays_within_a_block() -> None:
    _, alert, _ = texts_of(payload(message(facts(output="&" * 5000, name="<" * 5000))))
    assert len(alert) <= 3000


def test_without_output_there_is_no_code_block() -> None:
    _, alert, _ = texts_of(payload(message(facts(output=" \n"))))
    assert "```" not in alert


def test_recovery_is_called_one() -> None:
    body = payload(message(facts(status="passing", previous="critical"), reason="resolved"))
    assert body["text"] == "RESOLVED web on n1: HTTP"
    assert ":large_green_circle:" in texts_of(body)[1]

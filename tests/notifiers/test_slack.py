"""Slack: what a message looks like, and what cannot break out of it."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest

from consulops.notifiers.base import Message
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.slack import Slack
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.harness import facts, message
from tests.notifiers.test_webhook import HttpHarness
from tests.receivers import WebhookReceiver


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


def payload(message: Message, subject: str = "", body: str = "", **config: Any) -> dict[str, Any]:
    return Slack(config, Wording(subject, body)).payload(message)


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
    # Nor does Slack look for names and addresses by itself.
    marked = [block.get("text", block.get("elements", [None])[0]) for block in body["blocks"]]
    assert [one["verbatim"] for one in marked if one["type"] == "mrkdwn"] == [True, True]
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


def test_short_form_is_a_line_per_alert() -> None:
    body = payload(message(facts(status="warning"), facts(node="n2")), detailed=False)
    assert "blocks" not in body
    assert body["text"].splitlines() == [
        "2 alerts in dc1: 1 critical, 1 warning",
        ":red_circle: <http://consulops.test/alerts/12/|CRITICAL web on n2: HTTP>",
        ":large_orange_circle: <http://consulops.test/alerts/12/|WARNING web on n1: HTTP>",
    ]


def test_short_form_of_one_alert_says_it_once() -> None:
    body = payload(message(), detailed=False)
    assert body["text"] == (
        ":red_circle: <http://consulops.test/alerts/12/|CRITICAL web on n1: HTTP>"
    )
    assert payload(message(reason="reminder"), detailed=False)["text"].startswith("Still CRITICAL")


def test_own_words_take_the_place_of_the_alerts() -> None:
    odd = message(facts(output="<!channel> *x*"), facts(node="n2"))
    body = payload(odd, "{{ counts }} <!here>", "{{ alert.output }}\n{{ route }}")
    header, own, link, source = body["blocks"]
    assert header["text"]["text"] == "2 critical <!here>"
    assert body["text"] == "2 critical &lt;!here&gt;"
    # Plain: nothing in it is read as a mark.
    assert own["text"] == {"type": "plain_text", "text": "<!channel> *x*\neverything"}
    assert "<http://consulops.test/alerts/12/|" in link["text"]["text"]
    assert source["type"] == "context"


def test_looks_travel_only_when_they_are_set(send: Send) -> None:
    looks = {
        "channel": "#ops",
        "username": "Consul",
        "icon_url": "https://example.org/a.png",
        "icon_emoji": ":fire:",
    }
    with WebhookReceiver() as server:
        send("slack", {"url": server.url, **looks}, message())
        send("slack", {"url": server.url}, message())
        with_looks, without = (one.json() for one in server.take(2))
    assert looks.items() <= with_looks.items()
    assert not looks.keys() & without.keys()


def test_emoji_gets_its_colons(send: Send) -> None:
    with WebhookReceiver() as server:
        send("slack", {"url": server.url, "icon_emoji": "fire"}, message())
        assert server.next().json()["icon_emoji"] == ":fire:"


def test_emoji_is_a_name() -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("slack", {"url": "https://example.org/", "icon_emoji": "🔥"})
    assert list(caught.value.errors) == ["icon_emoji"]

"""Telegram: a message in its HTML, within its length, and a token that nobody reads."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from consulops.notifiers.base import Message, SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.telegram import Telegram, units
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, answered, expect, shown_html
from tests.notifiers.harness import facts, message
from tests.receivers import Answer, Request

TOKEN = "123456:AbC-dEf_s3cr3t"
TAGS = re.compile(r'</?(?:b|i|pre|a)>|<a href="[^"<>]*">')


class Harness(Faithful):
    @property
    def config(self) -> dict[str, Any]:
        return {"token": TOKEN, "chat_id": "-1001", "api_url": self.base}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {**self.config, "api_url": f"http://127.0.0.1:{port}"}

    def take(self, request: Request) -> Answer:
        expect(request.path == f"/bot{TOKEN}/sendMessage", 404, '{"description": "Not Found"}')
        body = request.json()
        expect(body["chat_id"] == "-1001", 400, "Bad Request: chat not found")
        plain = TAGS.sub("", body["text"])
        expect("<" not in plain and ">" not in plain, 400, "Bad Request: can't parse entities")
        length = len(shown_html(plain).encode("utf-16-le")) // 2
        expect(0 < length <= 4096, 400, "Bad Request: message is too long")
        return answered({"ok": True, "result": {"message_id": 1}})

    def received(self) -> list[str]:
        return [shown_html(body["text"]) for body in self.bodies()]


def payload(message: Message, subject: str = "", body: str = "", **config: Any) -> dict[str, Any]:
    settings = {"token": TOKEN, "chat_id": "1", **config}
    return Telegram(settings, Wording(subject, body)).payload(message)


def test_one_alert() -> None:
    assert payload(message()) == {
        "chat_id": "1",
        "text": '🔴 <a href="http://consulops.test/alerts/12/">CRITICAL web on n1: HTTP</a>\n'
        "since 2026-01-01 00:00:00 UTC\n<pre>connection refused</pre>\n\n"
        "<i>Cluster dc1 · route everything</i>",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "disable_notification": False,
    }


def test_reminder_and_several_alerts_have_a_heading() -> None:
    assert payload(message(reason="reminder"))["text"].startswith("<b>Still CRITICAL web")
    several = payload(message(facts(status="passing"), facts()))["text"]
    assert several.startswith("<b>2 alerts in dc1: 1 critical, 1 resolved</b>\n\n🔴 ")


@pytest.mark.parametrize(
    ("statuses", "quiet", "silent"),
    [
        (["passing", "gone"], True, True),
        (["passing", "critical"], True, False),
        (["passing"], False, False),
        (["critical"], True, False),
    ],
)
def test_recoveries_make_no_sound(statuses: list[str], quiet: bool, silent: bool) -> None:
    several = message(*[facts(status=one) for one in statuses])
    assert payload(several, quiet_recoveries=quiet)["disable_notification"] is silent


def test_topic_of_a_forum() -> None:
    assert payload(message(), thread_id=7)["message_thread_id"] == 7


def test_check_cannot_write_html_nor_mention() -> None:
    odd = '</pre><a href="http://evil.test">@ada</a> "&amp;'
    said = payload(message(facts(name=odd, output=odd), facts(), route=odd))["text"]
    assert said.count("<pre>") == said.count("</pre>") == 2
    assert re.findall('<a href="([^"]*)">', said) == ["http://consulops.test/alerts/12/"] * 2
    # Telegram looks for names and addresses everywhere but in code and links.
    outside = re.sub("<pre>.*?</pre>|<a .*?</a>", "", said, flags=re.S)
    assert not [bad for bad in ("@ada", "://", "<a") if bad in outside]


def test_own_words_take_the_place_of_the_alerts() -> None:
    said = payload(message(), "{{ counts }}", "<b>{{ alert.node }}</b> @all")["text"]
    assert said.startswith("<b>1 critical</b>\n\n&lt;\u200bb&gt;n1&lt;\u200b/b&gt; @\u200ball\n\n")
    assert 'href="http://consulops.test/alerts/12/"' in said


def test_length_counts_as_telegram_does() -> None:
    assert units('<a href="http://long.example/">a&amp;😀</a>') == 4


def test_longest_message_fits() -> None:
    alerts = [facts(node=f"n{n}", name="😀<&" * 100, output="😀<&\n" * 5000) for n in range(100)]
    said = payload(message(*alerts, route="r" * 500))["text"]
    assert units(said) <= 4096
    assert "… and " in said


def test_busy_bot_says_in_its_answer_when_to_come_back(send: Send) -> None:
    answer = {"ok": False, "error_code": 429, "parameters": {"retry_after": 35}}
    with Harness().running() as receiver:
        receiver.server.answer = Answer(429, json.dumps(answer))
        with pytest.raises(SendError) as caught:
            send("telegram", receiver.config, message())
    assert caught.value.retry_after_s == 35


@pytest.mark.parametrize(
    ("field", "value"),
    [("token", "nonsense"), ("token", "1:a/../b"), ("chat_id", "my group"), ("thread_id", 0)],
)
def test_settings_that_cannot_be_used(field: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("telegram", {"token": TOKEN, "chat_id": "1", field: value})
    assert list(caught.value.errors) == [field]

"""Mattermost's API: how we get in, where we post, and what cannot break out of a post."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consulops.notifiers.base import Message, SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.mattermost import Mattermost, say
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, answered, expect, readable
from tests.notifiers.harness import facts, message
from tests.receivers import Answer, Request

TOKEN = "t0kenOfTheBot"
PASSWORD = "passw0rd-of-ada"


class Harness(Faithful):
    session = "s3ssion"
    logged_out = False
    logs_out = True

    @property
    def config(self) -> dict[str, Any]:
        return {
            "url": self.base,
            "token": TOKEN,
            "username": "ada",
            "password": PASSWORD,
            "team": "ops",
            "channel": "alerts",
        }

    @property
    def login(self) -> dict[str, Any]:
        return {name: value for name, value in self.config.items() if name != "token"}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {**self.config, "url": f"http://127.0.0.1:{port}"}

    def take(self, request: Request) -> Answer:
        if request.path == "/api/v4/users/login":
            right = {"login_id": "ada", "password": PASSWORD}
            expect(request.json() == right, 401, "wrong password")
            return answered({"id": "ada"}, Token=self.session)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        expect(token in {TOKEN, self.session} and not self.logged_out, 401, "no session")
        if request.path == "/api/v4/users/logout":
            expect(self.logs_out, 500, "broken")
            self.logged_out = True
            return answered({"status": "OK"})
        if request.path == "/api/v4/teams/name/ops/channels/name/alerts":
            expect(request.method == "GET", 405, "only GET")
            return answered({"id": "channel-1", "name": "alerts"})
        expect(request.path == "/api/v4/posts", 404, "no such page")
        body = request.json()
        expect(body["channel_id"] == "channel-1", 403, "no such channel")
        expect(len(body["message"]) <= 16383, 400, "too long")
        expect(len(json.dumps(body["props"])) <= 8000, 400, "props too long")
        return answered({"id": "post-1"}, 201)

    def posts(self) -> list[dict[str, Any]]:
        return [one.json() for one in self.taken if one.path == "/api/v4/posts"]

    def received(self) -> list[str]:
        return [shown(post["message"], post["props"]["attachments"]) for post in self.posts()]


def shown(head: str, attachments: list[dict[str, Any]]) -> str:
    """All that a person reads of a post."""
    texts = [text for one in attachments for text in one.values()]
    return readable("\n".join([head, *texts]))


def said(message: Message, subject: str = "", body: str = "") -> tuple[str, list[dict[str, Any]]]:
    return say(Mattermost({}, Wording(subject, body)), message)


def test_token_posts_without_a_login(send: Send) -> None:
    with Harness().running() as receiver:
        answer = send("mattermost", receiver.config, message())
        assert answer == "HTTP 201: post post-1"
        assert [one.path for one in receiver.taken] == [
            "/api/v4/teams/name/ops/channels/name/alerts",
            "/api/v4/posts",
        ]


def test_user_logs_in_and_out_again(send: Send) -> None:
    with Harness().running() as receiver:
        send("mattermost", receiver.login, message())
        assert [one.path.split("/")[-1] for one in receiver.taken] == [
            "login",
            "alerts",
            "posts",
            "logout",
        ]
        assert receiver.logged_out


def test_message_that_was_posted_is_not_lost_with_the_logout(send: Send) -> None:
    with Harness().running() as receiver:
        receiver.logs_out = False
        assert send("mattermost", receiver.login, message()) == "HTTP 201: post post-1"


def test_wrong_password_and_unknown_channel_are_permanent(send: Send) -> None:
    with Harness().running() as receiver:
        for wrong in ({"password": "other"}, {"channel": "nowhere"}, {"team": "others"}):
            with pytest.raises(SendError) as caught:
                send("mattermost", {**receiver.login, **wrong}, message())
            assert caught.value.permanent
        assert receiver.posts() == []


def test_names_in_the_path_stay_one_part_of_it(send: Send) -> None:
    with Harness().running() as receiver:
        with pytest.raises(SendError):
            send("mattermost", {**receiver.config, "channel": "../../x"}, message())
        assert (
            receiver.server.requests[0].path == "/api/v4/teams/name/ops/channels/name/..%2F..%2Fx"
        )


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"id": 5}'])
def test_answer_without_a_channel_is_said(answer: str, send: Send) -> None:
    with Harness().running() as receiver:
        receiver.server.answer = Answer(200, answer)
        with pytest.raises(SendError, match="names no channel"):
            send("mattermost", receiver.config, message())


@pytest.mark.parametrize(
    ("missing", "field"),
    [({"token", "username", "password"}, "token"), ({"token", "password"}, "password")],
)
def test_somebody_must_post(missing: set[str], field: str) -> None:
    whole = {
        "url": "https://h",
        "token": "t",
        "username": "a",
        "password": "p",
        "team": "t",
        "channel": "c",
    }
    config = {name: value for name, value in whole.items() if name not in missing}
    with pytest.raises(ConfigError) as caught:
        from_config("mattermost", config)
    assert list(caught.value.errors) == [field]


def test_alert_is_an_attachment_in_its_colour() -> None:
    head, (one, other) = said(message(facts(status="passing"), facts()))
    assert head == "**2 alerts in dc1: 1 critical, 1 resolved**"
    assert (one["color"], other["color"]) == ("#c92a2a", "#2b8a3e")
    assert one["title"] == "CRITICAL web on n1: HTTP"
    assert one["title_link"] == "http://consulops.test/alerts/12/"
    assert one["text"] == "since 2026-01-01 00:00:00 UTC\n```\nconnection refused\n```"


def test_nobody_is_mentioned_and_nothing_becomes_a_link() -> None:
    odd = "@here <!channel> [x](http://evil.test) www.evil.test `*b*"
    head, (one,) = said(message(facts(name=odd, output=f"{odd}\n```\n@all"), route=odd))
    assert not [bad for bad in ("@here", "@all", "<!") if bad in head + "".join(one.values())]
    for text in (head, one["title"], one["fallback"], one["footer"]):
        assert not [bad for bad in ("://", "www.evil", "](") if bad in text]
    assert "\\[x\\]" in head
    assert one["text"].count("```") == 2


def test_own_words_take_the_place_of_the_alerts() -> None:
    head, (one,) = said(
        message(facts(name="*x*"), facts(node="n2")), "{{ counts }}", "{{ alert.name }} @all"
    )
    assert head == "**2 critical**"
    assert one["text"] == "\\*x\\* @\u200ball"
    assert one["title_link"]


def test_rest_is_counted() -> None:
    _, attachments = said(message(*[facts(node=f"n{n}") for n in range(30)]))
    shown = len(attachments) - 1
    assert 0 < shown <= 20
    assert attachments[-1]["text"] == f"… and {30 - shown} more: {30 - shown} critical"

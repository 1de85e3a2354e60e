"""Apprise: what the library sends, what it may not do here, and what its errors do not tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from consulops.notifiers.base import SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.apprise import Apprise, explain
from consulops.notifiers.wording import Wording
from tests.notifiers import harness
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import GAP, Faithful, expect
from tests.notifiers.harness import facts, message
from tests.receivers import WAIT_S, Answer, Request, free_port

PASSWORD, PATH = "passw0rd-of-ada", "s3cr3t-path"


class Harness(Faithful):
    # The library keeps the headers of an answer and the cause of a failed connection to itself.
    cases = frozenset({harness.REFUSE, harness.BREAK, harness.HANG, harness.REDIRECT})
    connects = False
    speaks_tls = False

    @property
    def config(self) -> dict[str, Any]:
        return {"url": f"json://ada:{PASSWORD}@127.0.0.1:{self.server.port}/{PATH}"}

    def take(self, request: Request) -> Answer:
        expect(request.path == f"/{PATH}", 404, "not found")
        expect(set(request.json()) >= {"title", "message", "type"}, 400, "not of the library")
        return Answer(200, "ok")

    def received(self) -> list[str]:
        return [f"{one['title']}\n{one['message']}".replace(GAP, "") for one in self.bodies()]


def test_title_text_and_type(send: Send) -> None:
    with Harness().running() as receiver:
        assert send("apprise", receiver.config, message()) == "Accepted by JSON"
        (body,) = receiver.bodies()
    assert body["title"] == "CRITICAL web on n1: HTTP"
    assert body["message"] == (
        "CRITICAL web on n1: HTTP\nsince 2026-01-01 00:00:00 UTC\nconnection refused\n"
        f"http:{GAP}//consulops.test/alerts/12/\n\nCluster dc1 · route everything"
    )
    assert body["type"] == "failure"
    assert body["attachments"] == []


@pytest.mark.parametrize(
    ("status", "type_"),
    [("critical", "failure"), ("warning", "warning"), ("passing", "success"), ("", "info")],
)
def test_type_follows_the_worst_state(status: str, type_: str, send: Send) -> None:
    with Harness().running() as receiver:
        send("apprise", receiver.config, message(facts(status=status), facts(status="gone")))
        assert receiver.bodies()[0]["type"] == type_


def test_own_words_take_the_place_of_the_alerts() -> None:
    with Harness().running() as receiver:
        kind = Apprise(receiver.config, Wording("{{ counts }}", "{{ alert.node }} @all"))
        kind.send(message(), 5)
        (body,) = receiver.bodies()
    assert (body["title"], body["message"]) == ("1 critical", f"n1 @{GAP}all")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again(status: int, send: Send) -> None:
    with Harness().running() as receiver:
        receiver.server.answer = Answer(status, "")
        with pytest.raises(SendError, match=f"error={status}") as caught:
            send("apprise", receiver.config, message())
    assert not caught.value.permanent


def test_refused_connection_is_tried_again(send: Send) -> None:
    url = f"json://ada:{PASSWORD}@127.0.0.1:{free_port()}/{PATH}"
    with pytest.raises(SendError, match=r"^Apprise: A Connection error occurred") as caught:
        send("apprise", {"url": url}, message())
    assert not caught.value.permanent
    assert PASSWORD not in caught.value.text


def test_address_cannot_ask_for_redirects_or_more_tries(send: Send) -> None:
    with Harness().running() as receiver:
        url = receiver.config["url"] + "?redirect=yes&retry=3&wait=0"
        for case in (harness.REDIRECT, harness.BREAK):
            receiver.behave(case)
            with pytest.raises(SendError):
                send("apprise", {"url": url}, message())
            assert len(receiver.server.requests) == 1


def test_address_cannot_ask_for_a_longer_wait(executor: ThreadPoolExecutor) -> None:
    with Harness().running() as receiver:
        receiver.behave(harness.HANG)
        kind = Apprise({"url": receiver.config["url"] + "?rto=300&cto=300"})
        sending = executor.submit(kind.send, message(), 0.2)
        # The thread itself is free again: this waits for it, and fails when it goes on.
        assert isinstance(sending.exception(WAIT_S), TimeoutError)


def test_parts_of_the_address_stay_out_of_an_error() -> None:
    url = "x://user-name:pass%2Fword1@host.example/token-1/token-2?key=value-3"
    parts = ["user-name", "pass/word1", "host.example", "token-1", "token-2", "value-3"]
    error = explain([f"Invalid {part}" for part in parts], url)
    assert not [part for part in parts if part in error.text]
    assert error.text.startswith("Apprise: Invalid •••")
    assert explain([], url).text == "Apprise: the message was not taken."


class Collector(logging.Handler):
    """Keeps the text of every line that reaches the root, where our own log is written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    root, collector = logging.getLogger(), Collector()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    yield collector.lines
    root.setLevel(level)
    root.removeHandler(collector)


def test_log_names_no_address(send: Send, log_lines: list[str]) -> None:
    with Harness().running() as receiver:
        receiver.behave(harness.REFUSE)
        with pytest.raises(SendError):
            send("apprise", receiver.config, message())
    assert log_lines
    assert not [line for line in log_lines if PATH in line or PASSWORD in line]


def test_nothing_of_this_machine_is_read_or_written(
    send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Harness().running() as receiver:
        other = f"json://127.0.0.1:{receiver.server.port}/other"
        settings = tmp_path / ".config" / "apprise"
        settings.mkdir(parents=True)
        (settings / "apprise.conf").write_text(other)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("APPRISE_URLS", other)
        monkeypatch.setenv("APPRISE_CONFIG_PATH", str(settings / "apprise.conf"))
        send("apprise", receiver.config, message())
        assert [one.path for one in receiver.server.requests] == [f"/{PATH}"]
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["apprise.conf"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("syslog://", "act on this machine"),
        ("dbus://", "act on this machine"),
        ("gnome://", "act on this machine"),
        ("macosx://", "act on this machine"),
        ("windows://", "act on this machine"),
        ("fcm://project@key/device?keyfile=/etc/passwd", "read its files"),
        ("vapid://me@example.org?keyfile=/etc/passwd", "read its files"),
        ("discord://1/abc?template=/etc/passwd", "would read a file"),
        ("https://discord.com/api/webhooks/1/abc?template=/etc/passwd", "would read a file"),
        ("mailtos://ada:pw@example.org?pgppub=/etc/passwd", "would read a file"),
        ("nobody://here", "knows no service"),
        ("file:///etc/passwd", "knows no service"),
        ("just words", "knows no service"),
        ("slack://s3cr3t", "cannot use this address of slack"),
    ],
)
def test_address_that_is_refused_at_save(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        from_config("apprise", {"url": url})
    assert list(caught.value.errors) == ["url"]
    assert "s3cr3t" not in str(caught.value)
    assert "passwd" not in str(caught.value)


def test_address_that_is_no_longer_understood_is_said() -> None:
    with pytest.raises(SendError, match="cannot use the address") as caught:
        Apprise({"url": "slack://s3cr3t"}).send(message(), 5)
    assert caught.value.permanent

"""Alertmanager: labels, ends, several members, and a test that ends by itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consulops.notifiers.base import SendError
from consulops.notifiers.config import ConfigError, from_config
from tests.notifiers import harness
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message
from tests.notifiers.products import Product, need
from tests.receivers import Answer, Request

PASSWORD = "s3cr3t-of-alertmanager"


class Harness(Product):
    texts_per_alert = False
    ok = Answer(200, "")

    @property
    def url(self) -> str:
        return self.server.url.removesuffix("/hook")

    @property
    def config(self) -> dict[str, Any]:
        return {"urls": self.url, "username": "ops", "password": PASSWORD}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"urls": f"http://127.0.0.1:{port}"}

    def take(self, request: Request) -> None:
        need(request.path == "/api/v2/alerts", "not found", 404)
        posted = request.json()
        need(isinstance(posted, list), "not a list")
        for alert in posted:
            self._take(alert)
        self._texts.append(("critical", json.dumps(posted, ensure_ascii=False)))

    def _take(self, alert: Any) -> None:
        labels = alert["labels"]
        need(labels.get("alertname"), "no alertname")
        need(all(labels.values()), "an empty label")
        ends_at = datetime.fromisoformat(alert["endsAt"])
        starts_at = datetime.fromisoformat(alert.get("startsAt", alert["endsAt"]))
        need(starts_at <= ends_at, "start time must be before end time")
        key = json.dumps(labels, sort_keys=True)
        if ends_at <= datetime.now(UTC):
            self.open.pop(key, None)
        else:
            self.open[key], self.bodies[key] = labels["severity"], alert


@pytest.fixture
def receiver() -> Iterator[Harness]:
    with Harness().running() as receiver:
        yield receiver


@pytest.fixture
def members() -> Iterator[list[Harness]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Harness().running()) for _ in range(3)]


def only_alert(receiver: Harness) -> Any:
    (body,) = receiver.bodies.values()
    return body


def test_alert_is_the_documented_one(receiver: Harness, send: Send) -> None:
    before = datetime.now(UTC)
    send("alertmanager", {**receiver.config, "labels": "team=payments\nenv = prod"}, message())
    alert = only_alert(receiver)
    ends_at = datetime.fromisoformat(alert.pop("endsAt"))
    assert before + timedelta(hours=24) <= ends_at <= datetime.now(UTC) + timedelta(hours=24)
    assert alert == {
        "labels": {
            "alertname": "ConsulCheck",
            "team": "payments",
            "env": "prod",
            "cluster": "dc1",
            "node": "n1",
            "service": "web",
            "service_id": "web-1",
            "check": "web-1-http",
            "severity": "critical",
        },
        "annotations": {
            "summary": "CRITICAL web on n1: HTTP",
            "description": "connection refused",
            "name": "HTTP",
            "tags": "blue, v2",
        },
        "startsAt": "2026-01-01T00:00:00.123000+00:00",
        "generatorURL": "http://consulops.test/alerts/12/",
    }


def test_recovery_ends_whatever_severity_was_told(receiver: Harness, send: Send) -> None:
    send("alertmanager", receiver.config, message(facts(status="warning")))
    assert list(receiver.open.values()) == ["warning"]
    now = facts(status="critical", previous="warning")
    send("alertmanager", receiver.config, message(now, reason="changed"))
    assert list(receiver.open.values()) == ["critical"]
    # The change back to warning was not told, and yet nothing stays.
    passing = facts(status="passing", previous="warning")
    send("alertmanager", receiver.config, message(passing, reason="resolved"))
    assert receiver.open == {}


def test_first_message_ends_nothing(receiver: Harness, send: Send) -> None:
    send("alertmanager", receiver.config, message())
    assert len(receiver.server.next().json()) == 1


def test_group_is_one_request(receiver: Harness, send: Send) -> None:
    alerts = [facts(id=number, node=f"n{number}") for number in range(50)]
    send("alertmanager", receiver.config, message(*alerts))
    assert len(receiver.server.requests) == 1
    assert len(receiver.open) == 50


def test_test_ends_by_itself_and_ends_nothing_else(receiver: Harness, send: Send) -> None:
    send("alertmanager", receiver.config, message())
    send("alertmanager", receiver.config, message(facts(status="passing"), reason="test"))
    assert len(receiver.open) == 2
    (test,) = [one for one in receiver.bodies.values() if "test" in one["labels"]]
    assert test["labels"]["test"] == DELIVERY
    lasts = datetime.fromisoformat(test["endsAt"]) - datetime.now(UTC)
    assert lasts <= timedelta(minutes=5)


def test_how_long_it_lasts_can_be_set(receiver: Harness, send: Send) -> None:
    send("alertmanager", {**receiver.config, "ends_after_h": 2}, message())
    lasts = datetime.fromisoformat(only_alert(receiver)["endsAt"]) - datetime.now(UTC)
    assert lasts <= timedelta(hours=2)


def test_every_member_is_told(members: list[Harness], send: Send) -> None:
    config = {"urls": [one.url for one in members]}
    assert send("alertmanager", config, message()).startswith("3 of 3 members")
    assert [len(one.open) for one in members] == [1, 1, 1]


@pytest.mark.parametrize("case", [harness.BREAK, harness.REFUSE, harness.HANG, harness.HANG_UP])
def test_one_member_that_accepts_is_enough(members: list[Harness], case: str, send: Send) -> None:
    members[0].behave(case)
    members[2].behave(case)
    config = {"urls": "\n".join(one.url for one in members)}
    assert send("alertmanager", config, message(), timeout_s=1).startswith("1 of 3 members")
    assert len(members[1].open) == 1


def test_no_member_accepts(members: list[Harness], send: Send) -> None:
    members[0].behave(harness.REFUSE)
    members[1].behave(harness.REFUSE)
    members[2].behave(harness.BUSY)
    with pytest.raises(SendError, match="None of 3 members took it") as caught:
        send("alertmanager", {"urls": [one.url for one in members]}, message())
    # The busy one may take it later.
    assert not caught.value.permanent
    assert caught.value.retry_after_s == 7


def test_user_name_and_password(receiver: Harness, send: Send) -> None:
    send("alertmanager", receiver.config, message())
    word = base64.b64encode(f"ops:{PASSWORD}".encode()).decode()
    assert receiver.server.next().headers["Authorization"] == f"Basic {word}"
    # Nor does the word in which the password travels come back.
    receiver.behave(harness.REFUSE)
    with pytest.raises(SendError) as caught:
        send("alertmanager", receiver.config, message())
    assert word not in caught.value.text


def test_token(receiver: Harness, send: Send) -> None:
    send("alertmanager", {"urls": receiver.url, "password": PASSWORD}, message())
    assert receiver.server.next().headers["Authorization"] == f"Bearer {PASSWORD}"


def test_nothing_to_sign_in_with(receiver: Harness, send: Send) -> None:
    send("alertmanager", {"urls": f"{receiver.url}/api/v2/alerts"}, message())
    assert "Authorization" not in receiver.server.next().headers


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("urls", ""),
        ("urls", "example.org"),
        ("urls", "http://a\nhttp://user:pw@b"),
        ("labels", "no equals sign"),
        ("labels", "two words=x"),
        ("labels", "node=x"),
        ("labels", {"severity": "x"}),
        ("labels", {"empty": ""}),
        ("ends_after_h", 0),
        ("username", "without a password"),
        ("password", "a\r\nX: y"),
    ],
)
def test_settings_that_cannot_be_used(field: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("alertmanager", {"urls": "http://a", field: value})
    assert set(caught.value.errors) <= {field, "password"}

"""Opsgenie and Jira Service Management: create and close by alias, within their limits."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from consulops.notifiers.base import Message
from consulops.notifiers.config import from_config
from consulops.notifiers.incidents import Call
from consulops.notifiers.kinds.opsgenie import Opsgenie
from tests.notifiers.conftest import Send
from tests.notifiers.harness import facts, message
from tests.notifiers.products import Product, need, units
from tests.receivers import Answer, Request

KEY = "eb243592-faa2-4ba2-a551q-1afdf565c889"
ALIAS = "consulops|dc1|n1|web-1|web-1-http"
TEAM = "4513b7ea-3b91-438f-b7e4-e3e54af9147c"


class Harness(Product):
    ok = Answer(202, '{"result": "Request will be processed", "took": 0.3, "requestId": "43a2"}')

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.notes: dict[str, list[str]] = {}

    @property
    def config(self) -> dict[str, Any]:
        return {"api_key": KEY, "url": self.server.url.replace("/hook", "/v2/alerts")}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"api_key": KEY, "url": f"http://127.0.0.1:{port}/v2/alerts"}

    def take(self, request: Request) -> None:
        need(request.headers["Authorization"] == f"GenieKey {KEY}", "Key format is not valid", 422)
        url, body = urlsplit(request.path), request.json()
        parts = url.path.removeprefix("/v2/alerts").split("/")[1:]
        if not parts:
            self._create(body)
            return
        need(len(parts) == 2, "not found", 404)
        need(parse_qs(url.query) == {"identifierType": ["alias"]}, "not an id", 422)
        need(units(body["note"]) <= 25_000, "note is too long", 422)
        alias, action = unquote(parts[0]), parts[1]
        if action == "close":
            self.closed(alias, body)
        else:
            need(action == "notes", "not found", 404)
            self.notes.setdefault(alias, []).append(body["note"])

    def _create(self, body: Any) -> None:
        need(0 < units(body["message"]) <= 130, "message is too long", 422)
        need(0 < units(body["alias"]) <= 512, "alias is too long", 422)
        need(units(body["description"]) <= 15_000, "description is too long", 422)
        need(len(body["tags"]) <= 20, "too many tags", 422)
        need(all(0 < units(tag) <= 50 for tag in body["tags"]), "a tag is too long", 422)
        need(sum(units(k) + units(v) for k, v in body["details"].items()) <= 8000, "details", 422)
        need(units(body["entity"]) <= 512, "entity is too long", 422)
        need(body["priority"] in {"P1", "P2", "P3", "P4", "P5"}, "priority", 422)
        alias = body["alias"]
        # One that is open stays as it is and counts.
        self.counts[alias] = self.counts.get(alias, 0) + 1 if alias in self.open else 1
        severity = {"P1": "critical", "P2": "error", "P3": "warning"}.get(body["priority"], "info")
        self.opened(alias, severity, body)


def calls(one: Message, **config: Any) -> list[Call]:
    """The requests that open the incident."""
    settings, secrets = from_config("opsgenie", {"api_key": KEY, **config})
    return Opsgenie({**settings, **secrets}).opening(one, one.alerts[0])


def test_create_is_the_documented_one() -> None:
    (call,) = calls(message(), responders=["on call", TEAM], tags="prod\nconsul\nprod")
    assert call.headers == {"Authorization": f"GenieKey {KEY}"}
    description = call.body.pop("description")
    assert "connection refused" in description
    assert "http://consulops.test/alerts/12/" in description
    assert call.body == {
        "message": "CRITICAL web on n1: HTTP",
        "alias": ALIAS,
        "responders": [{"type": "team", "name": "on call"}, {"type": "team", "id": TEAM}],
        "tags": ["prod", "consul", "blue", "v2"],
        "details": {
            "cluster": "dc1",
            "node": "n1",
            "service": "web",
            "service_id": "web-1",
            "check": "web-1-http",
            "name": "HTTP",
            "status": "critical",
            "previous": "passing",
            "since": "2026-01-01T00:00:00+00:00",
            "tags": "blue, v2",
            "url": "http://consulops.test/alerts/12/",
        },
        "entity": "web",
        "source": "ConsulOps",
        "priority": "P1",
    }


@pytest.mark.parametrize(
    ("product", "address"),
    [
        ("opsgenie", "https://api.opsgenie.com/v2/alerts"),
        ("opsgenie_eu", "https://api.eu.opsgenie.com/v2/alerts"),
        ("jsm", "https://api.atlassian.com/jsm/ops/integration/v2/alerts"),
    ],
)
def test_products_have_their_addresses(product: str, address: str) -> None:
    (call,) = calls(message(), product=product)
    assert call.url == address


def test_close_names_the_alias_in_the_address(send: Send) -> None:
    with Harness().running() as receiver:
        send("opsgenie", receiver.config, message(facts(status="passing"), reason="resolved"))
        path = "/v2/alerts/consulops%7Cdc1%7Cn1%7Cweb-1%7Cweb-1-http/close?identifierType=alias"
        assert receiver.server.next().path == path


def test_odd_names_are_closed_too(send: Send) -> None:
    odd = {"node": "a/b c?d#e%2F", "check": "größe|x/../y"}
    with Harness().running() as receiver:
        send("opsgenie", receiver.config, message(facts(**odd)))
        assert len(receiver.open) == 1
        send("opsgenie", receiver.config, message(facts(status="passing", **odd)))
        assert receiver.open == {}


@pytest.mark.parametrize(("status", "priority"), [("critical", "P2"), ("warning", "P5")])
def test_priority_per_status(status: str, priority: str) -> None:
    one = message(facts(status=status))
    (call,) = calls(one, critical_priority="P2", warning_priority="P5")
    assert call.body["priority"] == priority


def test_what_comes_again_counts_and_a_change_is_noted(send: Send) -> None:
    with Harness().running() as receiver:
        send("opsgenie", receiver.config, message())
        send("opsgenie", receiver.config, message(reason="reminder"))
        assert receiver.counts == {ALIAS: 2}
        assert receiver.notes == {}
        now = facts(status="warning", previous="critical", output="slow")
        send("opsgenie", receiver.config, message(now, reason="changed"))
        (note,) = receiver.notes[ALIAS]
        assert note.startswith("WARNING web on n1: HTTP")
        assert "slow" in note


def test_many_and_long_tags() -> None:
    one = message(facts(tags=[f"{number}-" + "x" * 90 for number in range(50)]))
    (call,) = calls(one)
    assert len(call.body["tags"]) == 20
    assert {len(tag) for tag in call.body["tags"]} == {50}

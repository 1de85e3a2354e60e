"""ilert: its events, and keys that it compares without regard to case."""

from __future__ import annotations

from typing import Any

import pytest

from consulops.notifiers.base import Message
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.ilert import Ilert
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message
from tests.notifiers.products import Product, need, units
from tests.receivers import Answer, Request

KEY = "il1api0460d849fcdc753d4f"


class Harness(Product):
    ok = Answer(202, "{}")

    @property
    def config(self) -> dict[str, Any]:
        return {"api_key": KEY, "url": self.server.url.replace("/hook", "/api/events")}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"api_key": KEY, "url": f"http://127.0.0.1:{port}/api/events"}

    def take(self, request: Request) -> None:
        event = request.json()
        need(event["integrationKey"] == KEY, "no such alert source", 404)
        need(0 < units(event["summary"]) <= 255, "summary")
        key = event["alertKey"].lower()
        need(0 < units(key) <= 255, "alertKey")
        if event["eventType"] == "RESOLVE":
            self.closed(key, event)
            return
        need(event["eventType"] == "ALERT", "eventType")
        severity = {"HIGH": "critical", "LOW": "warning"}[event["priority"]]
        self.opened(key, severity, event)


def body_of(one: Message, **config: Any) -> Any:
    settings, secrets = from_config("ilert", {"api_key": KEY, **config})
    (call,) = Ilert({**settings, **secrets}).opening(one, one.alerts[0])
    assert call.url == "https://api.ilert.com/api/events"
    return call.body


def test_event_is_the_documented_one() -> None:
    body = body_of(message())
    assert "connection refused" in body.pop("details")
    assert body.pop("customDetails")["node"] == "n1"
    assert body == {
        "integrationKey": KEY,
        "alertKey": "consulops/dc1/n1/web-1/web-1-http",
        "summary": "CRITICAL web on n1: HTTP",
        "eventType": "ALERT",
        "priority": "HIGH",
        "links": [{"href": "http://consulops.test/alerts/12/", "text": "The alert in ConsulOps"}],
    }


def test_priority_per_status() -> None:
    assert body_of(message(facts(status="warning")))["priority"] == "LOW"
    body = body_of(message(facts(status="warning")), warning_priority="HIGH")
    assert body["priority"] == "HIGH"


def test_keys_differ_in_more_than_case() -> None:
    keys = {
        body_of(message(facts(service_id=service_id)))["alertKey"].lower()
        for service_id in ("web", "Web", "WEB")
    }
    assert len(keys) == 3


def test_key_of_ones_own() -> None:
    template = "{{ alert.node }}:{{ alert.service }}:{{ alert.check }}"
    assert body_of(message(), alert_key=template)["alertKey"] == "n1:web:web-1-http"


def test_key_of_ones_own_of_a_test_is_another() -> None:
    key = body_of(message(reason="test"), alert_key="{{ alert.node }}")["alertKey"]
    assert key == f"test {DELIVERY} n1"


def test_long_keys_of_ones_own_stay_distinct() -> None:
    long = [message(facts(node="x" * 300 + end)) for end in "ab"]
    keys = {body_of(one, alert_key="{{ alert.node }}")["alertKey"] for one in long}
    assert len(keys) == 2
    assert max(map(len, keys)) <= 200


@pytest.mark.parametrize("template", ["{{ alert.nonsense }}", "{% if %}", "{{ 1 // 0 }}"])
def test_key_that_cannot_be_made_is_refused(template: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("ilert", {"api_key": KEY, "alert_key": template})
    assert list(caught.value.errors) == ["alert_key"]


def test_key_that_fails_for_one_alert_is_the_usual_one() -> None:
    # The samples with which it was tried have other nodes.
    template = "{{ alert.node if alert.node != 'n1' else 1 // 0 }}"
    body = body_of(message(), alert_key=template)
    assert body["alertKey"] == "consulops/dc1/n1/web-1/web-1-http"


def test_resolving(send: Send) -> None:
    with Harness().running() as receiver:
        send("ilert", receiver.config, message(facts(status="gone"), reason="resolved"))
        assert receiver.server.next().json() == {
            "integrationKey": KEY,
            "alertKey": "consulops/dc1/n1/web-1/web-1-http",
            "summary": "GONE web on n1: HTTP",
            "eventType": "RESOLVE",
        }

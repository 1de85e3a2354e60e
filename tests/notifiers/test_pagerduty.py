"""PagerDuty: its events, their limits, and what becomes of an incident."""

from __future__ import annotations

from typing import Any

import pytest

from consulops.notifiers.base import Message
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.pagerduty import PagerDuty
from consulops.notifiers.wording import Wording
from tests.notifiers.conftest import Send
from tests.notifiers.harness import facts, message
from tests.notifiers.products import Product, need, units
from tests.receivers import Request

KEY = "R0s3cr3tR0s3cr3tR0s3cr3tR0s3cr3t"
ADDRESS = "https://events.pagerduty.com/v2/enqueue"


class Harness(Product):
    @property
    def config(self) -> dict[str, Any]:
        return {"routing_key": KEY, "url": self.server.url}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"routing_key": KEY, "url": f"http://127.0.0.1:{port}/v2/enqueue"}

    def take(self, request: Request) -> None:
        event = request.json()
        need(request.method == "POST", "use POST")
        need(len(event["routing_key"]) == 32, "Length of 'routing_key' is incorrect")
        need(len(request.body) < 512 * 1024, "too large", 413)
        key = event["dedup_key"]
        need(0 < units(key) <= 255, "'dedup_key' is too long")
        if event["event_action"] == "resolve":
            self.closed(key, event)
            return
        need(event["event_action"] == "trigger", "'event_action' is invalid")
        payload = event["payload"]
        need(0 < units(payload["summary"]) <= 1024, "'summary' is invalid")
        need(payload["source"], "'source' is missing")
        need(payload["severity"] in {"critical", "error", "warning", "info"}, "'severity'")
        need(all(link["href"] for link in event["links"]), "'links' is invalid")
        self.opened(key, payload["severity"], event)


def event(one: Message, **config: Any) -> tuple[str, Any]:
    """The address and the body of the first request that opens the incident."""
    settings, secrets = from_config("pagerduty", {"routing_key": KEY, **config})
    call = PagerDuty({**settings, **secrets}).opening(one, one.alerts[0])[0]
    return call.url, call.body


def test_event_is_the_documented_one() -> None:
    address, body = event(message())
    assert address == ADDRESS
    assert body == {
        "routing_key": KEY,
        "dedup_key": "consulops/dc1/n1/web-1/web-1-http",
        "event_action": "trigger",
        "payload": {
            "summary": "CRITICAL web on n1: HTTP",
            "source": "n1",
            "severity": "critical",
            "timestamp": "2026-01-01T00:00:00.123000+00:00",
            "component": "web",
            "group": "dc1",
            "class": "HTTP",
            "custom_details": {
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
                "output": "connection refused",
            },
        },
        "links": [{"href": "http://consulops.test/alerts/12/", "text": "The alert in ConsulOps"}],
        "client": "ConsulOps",
        "client_url": "http://consulops.test/alerts/12/",
    }


def test_region_and_other_address() -> None:
    assert event(message(), region="eu")[0] == "https://events.eu.pagerduty.com/v2/enqueue"
    assert event(message(), region="eu", url="http://proxy/x")[0] == "http://proxy/x"


def test_client_can_be_another() -> None:
    _, body = event(message(), client="consul-alerts", client_url="https://consul.example.org")
    assert body["client"] == "consul-alerts"
    assert body["client_url"] == "https://consul.example.org"


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("critical", "critical"),
        ("warning", "warning"),
        ("unknown", "error"),
        ("maintenance", "info"),
    ],
)
def test_severity(status: str, severity: str) -> None:
    assert event(message(facts(status=status)))[1]["payload"]["severity"] == severity


def test_own_words() -> None:
    words = Wording("{{ alert.service }} is ill", "Call {{ alert.node }}")
    one = message(facts(), facts(id=13, node="n2"))
    kind = PagerDuty({"routing_key": KEY}, words)
    alone = message(one.alerts[1])
    (call,) = kind.opening(alone, alone.alerts[0])
    assert call.body["payload"]["summary"] == "web is ill"
    assert call.body["payload"]["custom_details"]["message"] == "Call n2"


def test_check_of_no_node_has_a_source() -> None:
    # One of our own, about a whole cluster.
    one = message(facts(node="", service="", service_id="", check="consulops:unreachable"))
    assert event(one)[1]["payload"]["source"] == "dc1"


def test_resolving_says_only_which(send: Send) -> None:
    with Harness().running() as receiver:
        send("pagerduty", receiver.config, message(facts(status="passing"), reason="resolved"))
        assert receiver.server.next().json() == {
            "routing_key": KEY,
            "dedup_key": "consulops/dc1/n1/web-1/web-1-http",
            "event_action": "resolve",
        }


@pytest.mark.parametrize("key", ["", "two words", "a\nb", "größe", "a/b"])
def test_key_that_cannot_be_one(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("pagerduty", {"routing_key": key})
    assert list(caught.value.errors) == ["routing_key"]

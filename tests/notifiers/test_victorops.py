"""Splunk On-Call: the fields of its REST endpoint, and its way to say no."""

from __future__ import annotations

from typing import Any

import pytest

from consulops.notifiers.base import SendError
from consulops.notifiers.config import from_config
from consulops.notifiers.kinds.victorops import VictorOps
from tests.notifiers.conftest import Send
from tests.notifiers.harness import facts, message
from tests.notifiers.products import Product, need, units
from tests.receivers import Answer, Request

KEY = "31e945ee-5cad-44e7-afb0-97c20ea80dd8"
TYPES = {"CRITICAL": "critical", "WARNING": "warning", "INFO": "info"}


class Harness(Product):
    ok = Answer(200, '{"result":"success","entity_id":"x"}')

    @property
    def config(self) -> dict[str, Any]:
        url = self.server.url.replace("/hook", "/alert")
        return {"api_key": KEY, "routing_key": "data base/ü", "url": url}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"api_key": KEY, "routing_key": "x", "url": f"http://127.0.0.1:{port}/alert"}

    def take(self, request: Request) -> None:
        need(request.path == f"/alert/{KEY}/data%20base%2F%C3%BC", "no such route", 404)
        event = request.json()
        key = event["entity_id"]
        need(0 < units(key) <= 255, "entity_id is too long")
        need(units(event["state_message"]) <= 20_480, "state_message is too long")
        if event["message_type"] == "RECOVERY":
            self.closed(key, event)
        else:
            self.opened(key, TYPES[event["message_type"]], event)


def test_event_is_the_documented_one() -> None:
    settings, secrets = from_config("victorops", {"api_key": KEY, "routing_key": "database"})
    one = message()
    (call,) = VictorOps({**settings, **secrets}).opening(one, one.alerts[0])
    base = "https://alert.victorops.com/integrations/generic/20131114/alert"
    assert call.url == f"{base}/{KEY}/database"
    state_message = call.body.pop("state_message")
    assert "connection refused" in state_message
    assert call.body == {
        "message_type": "CRITICAL",
        "entity_id": "consulops/dc1/n1/web-1/web-1-http",
        "entity_display_name": "CRITICAL web on n1: HTTP",
        "state_start_time": 1767225600,
        "monitoring_tool": "ConsulOps",
        "host_name": "n1",
        "monitor_name": "HTTP",
        "alert_url": "http://consulops.test/alerts/12/",
        "consul_cluster": "dc1",
        "consul_node": "n1",
        "consul_service": "web",
        "consul_service_id": "web-1",
        "consul_check": "HTTP",
        "consul_check_id": "web-1-http",
        "consul_tags": "blue, v2",
    }


@pytest.mark.parametrize(
    ("status", "reason", "message_type"),
    [
        ("critical", "opened", "CRITICAL"),
        ("unknown", "opened", "CRITICAL"),
        ("warning", "changed", "WARNING"),
        ("maintenance", "changed", "INFO"),
        ("passing", "resolved", "RECOVERY"),
        ("gone", "resolved", "RECOVERY"),
        ("passing", "flapping", "WARNING"),
    ],
)
def test_message_type(status: str, reason: str, message_type: str, send: Send) -> None:
    with Harness().running() as receiver:
        send("victorops", receiver.config, message(facts(status=status), reason=reason))
        assert receiver.server.next().json()["message_type"] == message_type


def test_failure_under_the_status_200(send: Send) -> None:
    with Harness().running() as receiver:
        receiver.server.answer = Answer(200, '{"result": "failure", "message": "bad key"}')
        with pytest.raises(SendError, match="bad key") as caught:
            send("victorops", receiver.config, message())
        assert caught.value.permanent

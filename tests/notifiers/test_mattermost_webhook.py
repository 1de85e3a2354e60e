"""Mattermost's incoming webhook; what a post says is tested with the API's."""

from __future__ import annotations

import json
from typing import Any

from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, expect
from tests.notifiers.harness import message
from tests.notifiers.test_mattermost import shown
from tests.receivers import Answer, Request


class Harness(Faithful):
    @property
    def config(self) -> dict[str, Any]:
        return {"url": f"{self.base}/hooks/s3cr3tKeyOfTheHook"}

    def unreachable(self, port: int) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{port}/hooks/s3cr3tKeyOfTheHook"}

    def take(self, request: Request) -> Answer:
        expect(request.path == "/hooks/s3cr3tKeyOfTheHook", 404, "Invalid webhook.")
        expect(request.headers["Content-Type"] == "application/json", 400, "Unable to parse.")
        expect(len(json.dumps(request.json()["attachments"])) <= 8000, 400, "too long")
        return Answer(200, "ok")

    def received(self) -> list[str]:
        return [shown(body["text"], body["attachments"]) for body in self.bodies()]


def test_looks_travel_only_when_they_are_set(send: Send) -> None:
    looks = {"channel": "ops", "username": "Consul", "icon_url": "https://example.org/a.png"}
    with Harness().running() as receiver:
        send("mattermost-webhook", {**receiver.config, **looks}, message())
        send("mattermost-webhook", receiver.config, message())
        with_looks, without = receiver.bodies()
    assert looks.items() <= with_looks.items()
    assert set(without) == {"text", "attachments"}

"""The whole product with its demo, as the tests of journeys find it: addresses, people, checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.product import Product, manage

ADMIN = "admin"


@dataclass(frozen=True)
class House:
    """A running product; `consul` is the API's address of each of the demo's datacenters."""

    product: Product
    data: Path
    password: str
    consul: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.product.port}"

    def apply(self, document: str) -> None:
        """Sets up what a file of `apply` says; what is there already stays."""
        file = self.data / "apply.yaml"
        file.write_text(document, encoding="utf-8")
        done = manage(self.data, "apply", str(file))
        assert done.returncode == 0, done.stderr

    def fire(self, datacenter: str, event: str, payload: str) -> None:
        url = f"{self.consul[datacenter]}/v1/event/fire/{event}"
        requests.put(url, data=payload, timeout=10).raise_for_status()

    def set_check(self, datacenter: str, check_id: str, verb: str, note: str) -> None:
        """As a person does who follows the demo's hint; `verb` is pass, warn or fail."""
        url = f"{self.consul[datacenter]}/v1/agent/check/{verb}/{check_id}"
        requests.put(url, params={"note": note}, timeout=10).raise_for_status()

    @contextmanager
    def broken(self, datacenter: str, check_id: str, note: str) -> Iterator[None]:
        """Breaks a check, and mends it at the latest when the block is left."""
        self.set_check(datacenter, check_id, "fail", note)
        try:
            yield
        finally:
            self.mend(datacenter, check_id)

    def mend(self, datacenter: str, check_id: str) -> None:
        self.set_check(datacenter, check_id, "pass", "mended by hand")

    @contextmanager
    def frozen(self, datacenter: str) -> Iterator[None]:
        """Stops the Consul of a datacenter without ending it: it answers nothing any more."""
        victims = [
            process
            for process in self.product.descendants()
            if process.name() == "consul" and f"/demo/{datacenter}/" in " ".join(process.cmdline())
        ]
        assert victims
        try:
            for process in victims:
                process.suspend()
            yield
        finally:
            for process in victims:
                process.resume()

    def told(self, check_id: str) -> list[dict[str, Any]]:
        """What the demo's log file has about a check, oldest first."""
        file = self.data / "notifications" / "alerts.log"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [line for line in map(json.loads, lines) if line["check"] == check_id]

    def sign_in(self, name: str, password: str) -> list[dict[str, Any]]:
        """The cookies of somebody who has just signed in, as a browser context takes them."""
        with requests.Session() as session:
            page = session.get(f"{self.url}/login/", timeout=10)
            token = page.text.split('name="csrfmiddlewaretoken" value="', 1)[1].split('"', 1)[0]
            form = {"username": name, "password": password, "csrfmiddlewaretoken": token}
            answer = session.post(
                f"{self.url}/login/", form, headers={"Referer": self.url}, timeout=10
            )
            assert answer.url == f"{self.url}/", answer.text
            return [
                {"name": cookie.name, "value": cookie.value, "url": self.url}
                for cookie in session.cookies
            ]

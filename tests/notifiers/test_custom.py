"""Programs of people's own as notifiers: what they get, and what their exit codes mean."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from django.conf import settings as django_settings
from django.test import Client, override_settings
from django.urls import reverse

from consulops.notifiers import executables
from consulops.notifiers.base import SendError
from consulops.notifiers.config import ConfigError, from_config
from tests.notifiers import harness
from tests.notifiers.conftest import Send
from tests.notifiers.harness import facts, message
from tests.notifiers.pages import text


def put(name: str, script: str) -> None:
    """A program in the folder."""
    path = executables.folder() / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


class Harness(harness.Harness):
    cases = frozenset({harness.REFUSE, harness.BREAK, harness.HANG})
    connects = False
    speaks_tls = False

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            with override_settings(DATA=data):
                executables.make_folder()
                self.got = data / "got"
                self.got.mkdir()
                self.behave(harness.ACCEPT)
                yield self

    @property
    def config(self) -> dict[str, Any]:
        return {"executable": "tell", "arguments": [str(self.got)]}

    def behave(self, case: str) -> None:
        put(
            "tell",
            {
                harness.REFUSE: "echo no such user; exit 67",
                harness.BREAK: "echo try again; exit 1",
                harness.HANG: "sleep 300",
            }.get(case, 'cat > "$1/$(ls "$1" | wc -l)"'),
        )

    def received(self) -> list[str]:
        files = sorted(self.got.iterdir(), key=lambda path: int(path.name))
        return [json.dumps(json.loads(one.read_bytes()), ensure_ascii=False) for one in files]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    executables.make_folder()
    return tmp_path / "executables"


@pytest.fixture
def got(tmp_path: Path) -> Path:
    put("tell", f'cat > {tmp_path}/got; echo "$@"')
    return tmp_path / "got"


def test_message_is_the_webhooks_body(got: Path, send: Send) -> None:
    assert send("custom", {"executable": "tell"}, message()) == "Exit code 0"
    assert json.loads(got.read_bytes()) == message().to_dict()


def test_arguments_are_passed_as_they_are(got: Path, send: Send) -> None:
    config = {"executable": "tell", "arguments": "--to\nops team\n$(id)\n"}
    assert send("custom", config, message()) == "Exit code 0: --to ops team $(id)"


def test_message_of_consul_alerts(got: Path, send: Send) -> None:
    about = message(facts(), facts(status="gone", node="n2", output="", service="", service_id=""))
    send("custom", {"executable": "tell", "format": "consul-alerts"}, about)
    first, second = json.loads(got.read_bytes())
    assert first == {
        "Node": "n1",
        "ServiceId": "web-1",
        "Service": "web",
        "CheckId": "web-1-http",
        "Check": "HTTP",
        "Status": "critical",
        "Output": "connection refused",
        "Notes": "",
        "Interval": 0,
        "RmdCheck": "0001-01-01T00:00:00Z",
        "NotifList": None,
        "VarOverrides": None,
        "Timestamp": "2026-01-01T00:00:00.123000Z",
    }
    assert (second["Node"], second["Status"]) == ("n2", "passing")


@pytest.mark.parametrize(
    ("status", "told"),
    [("warning", "warning"), ("maintenance", "critical"), ("unknown", "critical")],
)
def test_only_a_recovery_looks_like_one(status: str, told: str, got: Path, send: Send) -> None:
    config = {"executable": "tell", "format": "consul-alerts"}
    send("custom", config, message(facts(status=status)))
    assert json.loads(got.read_bytes())[0]["Status"] == told


@pytest.mark.parametrize(
    ("code", "permanent"),
    [
        (1, False), (2, False), (63, False), (64, True), (67, True), (69, False), (71, False),
        (74, False), (75, False), (77, True), (78, True), (79, False), (126, False), (127, False),
    ],
)  # fmt: skip
def test_exit_codes(code: int, permanent: bool, send: Send) -> None:
    put("tell", f"echo went; echo wrong >&2; exit {code}")
    with pytest.raises(SendError) as caught:
        send("custom", {"executable": "tell"}, message())
    assert caught.value.text == f"Exit code {code}: went wrong"
    assert caught.value.permanent is permanent


def test_signal_is_tried_again(send: Send) -> None:
    put("tell", "kill -TERM $$")
    with pytest.raises(SendError, match=r"Ended by signal 15") as caught:
        send("custom", {"executable": "tell"}, message())
    assert not caught.value.permanent


def test_program_that_went_away_is_permanent(folder: Path, send: Send) -> None:
    put("tell", "")
    settings, secrets = from_config("custom", {"executable": "tell"})
    assert secrets == {}
    (folder / "tell").chmod(0o777)
    with pytest.raises(SendError, match="can be changed by its group") as caught:
        send("custom", settings, message(), checked=True)
    assert caught.value.permanent


@pytest.mark.parametrize("name", ["tell", "../tell", "/bin/sh", ""])
def test_only_programs_of_the_folder_can_be_chosen(name: str, folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("custom", {"executable": name})
    assert "executable" in caught.value.errors


def test_argument_that_no_program_can_get() -> None:
    put("tell", "")
    with pytest.raises(ConfigError, match="NUL"):
        from_config("custom", {"executable": "tell", "arguments": ["a\0b"]})


@pytest.mark.django_db
def test_form_offers_what_is_there_now(as_admin: Client) -> None:
    page = text(as_admin, reverse("notifiers:new"), kind="custom")
    assert "There is no program yet" in page
    assert str(django_settings.DATA / "executables") in page
    put("page-on-call", "")
    put("writable", "")
    (executables.folder() / "writable").chmod(0o777)
    page = text(as_admin, reverse("notifiers:new"), kind="custom")
    assert '<option value="page-on-call">' in page
    assert "There is no program yet" not in page
    assert "“writable” can be changed by its group" in page

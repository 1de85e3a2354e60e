"""The log file: one line per alert whatever is in it, and never outside of its folder."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from django.conf import settings

from consulops.notifiers.base import SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds import log
from consulops.notifiers.wording import Wording
from tests.notifiers import harness
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message


class Harness(harness.Harness):
    cases = frozenset({harness.BREAK})
    connects = False
    speaks_tls = False
    texts_per_alert = True
    path: Path

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        self.path = log.folder() / "harness" / "alerts.log"
        self.path.parent.mkdir(parents=True)
        try:
            yield self
        finally:
            self._remove()
            self.path.parent.rmdir()

    @property
    def config(self) -> dict[str, Any]:
        return {"path": "harness/alerts.log"}

    def behave(self, case: str) -> None:
        self._remove()
        if case == harness.BREAK:
            # Whoever rotates it away is not ready yet.
            self.path.mkdir()

    def received(self) -> list[str]:
        if not self.path.is_file():
            return []
        lines = self.path.read_text().splitlines()
        return [json.dumps(json.loads(line), ensure_ascii=False) for line in lines]

    def _remove(self) -> None:
        if self.path.is_dir():
            self.path.rmdir()
        else:
            self.path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    return tmp_path / "notifications"


def test_json_lines_are_appended(data: Path, send: Send) -> None:
    send("log", {}, message())
    send("log", {}, message(facts(id=2), facts(id=3)))
    lines = [json.loads(line) for line in (data / "alerts.log").read_text().splitlines()]
    assert [line["id"] for line in lines] == [12, 2, 3]
    assert list(lines[0])[:5] == ["time", "delivery", "reason", "cluster", "route"]
    assert lines[0]["delivery"] == DELIVERY
    assert lines[0]["status"] == "critical"


def test_text_lines_are_for_people(data: Path, send: Send) -> None:
    send("log", {"path": "a/b.txt", "format": "text"}, message())
    line = (data / "a" / "b.txt").read_text()
    assert line.endswith(" dc1 opened CRITICAL web on n1: HTTP | connection refused\n")


def test_line_of_consul_alerts(data: Path, send: Send) -> None:
    send("log", {"format": "consul-alerts"}, message(facts(), facts(service="", name="")))
    lines = (data / "alerts.log").read_text().splitlines()
    pattern = r"\[consul-notifier\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d "
    assert re.sub(pattern, "", lines[0]) == "Node=n1, Service=web, Check=HTTP, Status=critical"
    assert lines[1].endswith(" Node=n1, Service=, Check=web-1-http, Status=critical")


def test_own_words(data: Path, send: Send) -> None:
    wording = Wording(body="{% for a in alerts %}{{ a.node }}|{{ a.output }}\n{% endfor %}")
    answer = send("log", {}, message(facts(), facts(node="n2", output="\x1b[2J")), wording=wording)
    assert (data / "alerts.log").read_text() == "n1|connection refused\nn2| [2J\n"
    assert answer == "2 lines written to alerts.log"


@pytest.mark.parametrize("form", ["json", "text", "consul-alerts"])
def test_a_check_cannot_forge_a_line(form: str, data: Path, send: Send) -> None:
    nasty = "x\n2026 forged\r\n\x85forged\u2028forged\u2029\x1b[2J\x9b31m\x00"
    send("log", {"format": form}, message(facts(output=nasty, name=nasty, node=nasty)))
    text = (data / "alerts.log").read_text()
    assert len(text.splitlines()) == 1
    assert all(letter.isprintable() for letter in text.removesuffix("\n"))


def test_file_is_not_for_everybody(data: Path, send: Send) -> None:
    send("log", {}, message())
    assert (data / "alerts.log").stat().st_mode & 0o007 == 0


def test_rotated_file_is_made_anew(data: Path, send: Send) -> None:
    send("log", {}, message())
    (data / "alerts.log").rename(data / "alerts.log.1")
    send("log", {}, message())
    assert len((data / "alerts.log").read_text().splitlines()) == 1


def test_absolute_path_inside_is_fine(data: Path, send: Send) -> None:
    send("log", {"path": str(data / "deep" / "x.log")}, message())
    assert (data / "deep" / "x.log").exists()


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", ".", "", "a\x00b", "/", "x/../.."]
)
def test_path_outside_is_refused(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("log", {"path": path or " "})
    assert list(caught.value.errors) == ["path"]


def test_link_that_leads_outside_is_not_followed(data: Path, tmp_path: Path, send: Send) -> None:
    data.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    config = {"path": "a/x.log"}
    from_config("log", config)
    (data / "a").symlink_to(outside)
    log_kind = log.Log({**config, "format": "json"})
    with pytest.raises(SendError, match="must lie in") as caught:
        log_kind.send(message(), 1)
    assert caught.value.permanent
    assert list(outside.iterdir()) == []


def test_folder_is_that_of_the_settings(data: Path) -> None:
    assert log.folder() == settings.DATA / "notifications"

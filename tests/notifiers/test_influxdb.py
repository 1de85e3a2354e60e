"""InfluxDB: lines that its parser reads back, for both ways to write them."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.influxdb import line
from tests.notifiers.conftest import Send
from tests.notifiers.faithful import Faithful, Refused, expect
from tests.notifiers.harness import facts, message
from tests.receivers import Answer, Request

TOKEN, PASSWORD = "s3cr3t-token==", "passw0rd-of-ada"
V2 = {"precision": ["ns"], "org": ["the ops"], "bucket": ["alerts"]}
V1 = {"precision": ["ns"], "db": ["consul"], "rp": ["a year"]}


@dataclass(frozen=True)
class Point:
    measurement: str
    tags: dict[str, str]
    fields: dict[str, str | int]
    time_ns: int


class Harness(Faithful):
    @property
    def config(self) -> dict[str, Any]:
        return {
            "url": self.base,
            "org": "the ops",
            "bucket": "alerts",
            "token": TOKEN,
            "password": PASSWORD,
        }

    @property
    def version_1(self) -> dict[str, Any]:
        return {
            "url": self.base + "/",
            "version": "1",
            "database": "consul",
            "retention_policy": "a year",
            "username": "ada",
            "password": PASSWORD,
        }

    def unreachable(self, port: int) -> dict[str, Any]:
        return {**self.config, "url": f"http://127.0.0.1:{port}"}

    def take(self, request: Request) -> Answer:
        parts = urlsplit(request.path)
        ways = {
            "/api/v2/write": (V2, f"Token {TOKEN}"),
            "/write": (V1, "Basic " + b64encode(f"ada:{PASSWORD}".encode()).decode()),
        }
        expect(parts.path in ways, 404, "404 page not found")
        query, login = ways[parts.path]
        expect(request.headers.get("Authorization") == login, 401, "unauthorized access")
        expect(parse_qs(parts.query) == query, 404, "database not found")
        points(request)
        return Answer(204, "")

    def received(self) -> list[str]:
        return [
            json.dumps([vars(point) for point in points(one)], ensure_ascii=False)
            for one in self.taken
        ]


def points(request: Request) -> list[Point]:
    try:
        return [parse(one) for one in request.body.decode().split("\n")]
    except ValueError as error:
        raise Refused(400, f"unable to parse: {error}") from None


def parse(said: str) -> Point:
    """A line read by the rules of the server: a separator counts unless a backslash precedes it."""
    key, rest = _cut(said, " ")
    measurement, *pairs = _split(key, ",")
    tags = dict(_pair(pair) for pair in pairs)
    if list(tags) != sorted(tags) or not all(tags.values()):
        raise ValueError(f"tags of {key}")
    fields: dict[str, str | int] = {}
    while not rest.startswith(" "):
        found = re.match(r',?([a-z]+)=(?:(-?\d+)i|"((?:[^"\\\n]|\\["\\])*)")', rest)
        if not found:
            raise ValueError(f"fields: {rest}")
        name, number, text = found.groups()
        fields[name] = int(number) if number else re.sub(r'\\(["\\])', r"\1", text)
        rest = rest[found.end() :]
    return Point(_plain(measurement), tags, fields, int(rest[1:]))


def _cut(text: str, separator: str) -> tuple[str, str]:
    head, *_ = _split(text, separator)
    return head, text[len(head) + 1 :]


def _split(text: str, separator: str) -> list[str]:
    return re.split(rf"(?<!\\){separator}", text)


def _pair(text: str) -> tuple[str, str]:
    name, value = _split(text, "=")
    return name, _plain(value)


def _plain(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text)


def test_point_of_an_alert() -> None:
    assert line("consul-alerts", facts(output='say "hi"')) == (
        "consul-alerts,check=web-1-http,cluster=dc1,node=n1,service=web,service_id=web-1,"
        'status=critical alert=12i,name="HTTP",output="say \\"hi\\"",'
        'url="http://consulops.test/alerts/12/",value=3i 1767225600123000000'
    )


def test_every_character_comes_back() -> None:
    odd = 'a b,c=d "e" \\f\\, \\= g\\\\ ü😀'
    alert = facts(node=odd, service=odd, service_id=odd, check=odd, name=odd, output=odd)
    point = parse(line("my measurement, with=all", alert))
    assert point.measurement == "my measurement, with=all"
    assert point.tags == {
        "check": odd,
        "cluster": "dc1",
        "node": odd,
        "service": odd,
        "service_id": odd,
        "status": "critical",
    }
    assert point.fields == {
        "alert": 12,
        "name": odd,
        "output": odd,
        "url": "http://consulops.test/alerts/12/",
        "value": 3,
    }


def test_line_ends_stay_out_of_a_line() -> None:
    said = line("m", facts(node="a\nb", output="one\r\ntwo\n\nm,x=y z=1i 5\n"))
    assert len(said.splitlines()) == 1
    point = parse(said)
    assert point.tags["node"] == "a b"
    assert point.fields["output"] == "one two m,x=y z=1i 5"


@pytest.mark.parametrize(("node", "said"), [("a\\", "a/"), ("a\\\\", "a/"), ("\\", "/")])
def test_backslash_at_the_end_of_a_tag_hides_nothing(node: str, said: str) -> None:
    assert parse(line("m", facts(node=node))).tags["node"] == said


@pytest.mark.parametrize("empty", ["", " ", "\x00\n"])
def test_empty_tags_are_left_out(empty: str) -> None:
    assert set(parse(line("m", facts(service=empty, service_id=empty))).tags) == {
        "check",
        "cluster",
        "node",
        "status",
    }


def test_values_grow_with_the_trouble() -> None:
    order = ["gone", "maintenance", "passing", "warning", "unknown", "critical"]
    found = [parse(line("m", facts(status=one))).fields["value"] for one in order]
    assert found == [-2, -1, 0, 1, 2, 3]
    nameless = parse(line("m", facts(status="")))
    assert (nameless.tags["status"], nameless.fields["value"]) == ("unknown", 2)


def test_time_is_exact_to_the_microsecond() -> None:
    late = datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert parse(line("m", facts(since=late))).time_ns == 4102444799_999999000


def test_all_alerts_of_a_message_are_one_request_in_version_1_too(send: Send) -> None:
    with Harness().running() as receiver:
        answer = send("influxdb", receiver.version_1, message(facts(), facts(node="n2")))
        assert answer == "HTTP 204 No Content"
        (request,) = receiver.taken
    assert [point.tags["node"] for point in points(request)] == ["n1", "n2"]
    assert {point.measurement for point in points(request)} == {"consul-alerts"}


def test_database_without_a_login(send: Send) -> None:
    with Harness().running() as receiver:
        receiver.server.answer = Answer(204, "")
        config = {"url": receiver.base, "version": "1", "database": "consul"}
        send("influxdb", config, message())
        (request,) = receiver.server.requests
    assert parse_qs(urlsplit(request.path).query) == {"precision": ["ns"], "db": ["consul"]}
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({}, ["org", "bucket", "token"]),
        ({"version": "1"}, ["database"]),
        ({"version": "1", "database": "d", "username": "ada"}, ["password"]),
        ({"version": "1", "database": "d", "measurement": "#x"}, ["measurement"]),
    ],
)
def test_settings_that_cannot_be_used(config: dict[str, str], fields: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        from_config("influxdb", {"url": "http://influxdb:8086", **config})
    assert list(caught.value.errors) == fields

"""What both transports promise: whom they ask, what they send, and one type per failure."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from consulops.consulapi import Client, Connection, answers, errors
from tests import fake_consul
from tests.consulapi.conftest import Read
from tests.fake_consul import FakeConsul, Told

TOKEN = "5ec2e700-0000-4000-8000-000000000000"


def to(fake: FakeConsul, datacenter: str = "") -> Connection:
    return Connection("prod", fake.address, datacenter, TOKEN)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeConsul]:
    """A server that the environment names in every way there is, and that nobody must ask."""
    with FakeConsul() as other:
        monkeypatch.setenv("CONSUL_HTTP_ADDR", other.address.removeprefix("http://"))
        monkeypatch.setenv("CONSUL_HTTP_TOKEN", "environment-token")
        monkeypatch.setenv("CONSUL_HTTP_SSL", "true")
        monkeypatch.setenv("CONSUL_HTTP_SSL_VERIFY", "false")
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, other.address)
            monkeypatch.setenv(name.upper(), other.address)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield other


def test_the_environment_cannot_win(fake: FakeConsul, stranger: FakeConsul, read: Read) -> None:
    read(to(fake))
    read(Connection("prod", fake.address))
    assert stranger.asked == []
    assert [asked.headers.get("X-Consul-Token") for asked in fake.asked] == [TOKEN, None]


def test_the_environment_cannot_win_over_inherited_calls(
    fake: FakeConsul, stranger: FakeConsul
) -> None:
    fake.say(fake_consul.listing([]))
    with Client(to(fake, datacenter="dc9")) as consul:
        consul.kv.get("x")
        consul.agent.members()
    with Client(Connection("prod", fake.address)) as consul:
        consul.kv.get("x")
    assert stranger.asked == []
    assert [asked.headers.get("X-Consul-Token") for asked in fake.asked] == [TOKEN, TOKEN, None]
    assert fake.asked[0].query["dc"] == "dc9"


def test_an_address_in_the_environment_that_cannot_be_read_does_no_harm(
    fake: FakeConsul, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://[::1]:8500")
    with Client(to(fake)) as consul:
        assert consul.read("/v1/x").value == []


def test_two_clients_ask_two_clusters(fake: FakeConsul, read: Read) -> None:
    with FakeConsul() as other:
        other.say(fake_consul.listing("other"))
        fake.say(fake_consul.listing("mine"))
        assert [read(to(other)).value, read(to(fake)).value] == ["other", "mine"]


def test_a_netrc_of_the_machine_is_not_used(
    fake: FakeConsul, read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    read(to(fake))
    assert "Authorization" not in fake.asked[0].headers


def test_what_is_sent(fake: FakeConsul, read: Read) -> None:
    read(to(fake, datacenter="dc1"), "/v1/kv/x", params={"recurse": ""}, consistency="stale")
    (asked,) = fake.asked
    assert asked.query == {"dc": "dc1", "recurse": "", "stale": "1"}
    assert asked.headers["X-Consul-Token"] == TOKEN
    assert asked.headers["Accept-Encoding"] == "identity"
    assert TOKEN not in asked.target


def test_a_token_never_goes_into_the_url_of_inherited_calls(fake: FakeConsul) -> None:
    fake.say(Told(b'{"ID": "x"}'))
    with Client(to(fake)) as consul:
        consul.acl.legacy_tokens.list()
    assert TOKEN not in fake.asked[0].target
    assert fake.asked[0].headers["X-Consul-Token"] == TOKEN


@pytest.mark.parametrize(
    "name", ["a b", "ü/ß", "a%2Fb", "q?x=1#y", "a+b&c=d", '"><script>', "a;b:c@d", "日本", "\x7f\n"]
)
def test_odd_names_arrive_as_they_are(fake: FakeConsul, read: Read, name: str) -> None:
    read(to(fake), f"/v1/health/node/{name}", params={"filter": name})
    assert fake.asked[0].path == f"/v1/health/node/{name}"
    assert fake.asked[0].query == {"filter": name}


@pytest.mark.parametrize("key", ["a//b", "../x", "a/../x", "a/./x", "a/..", "."])
def test_names_that_a_url_would_change_are_refused(fake: FakeConsul, read: Read, key: str) -> None:
    with pytest.raises(errors.BadRequest, match="transaction"):
        read(to(fake), f"/v1/kv/{key}")
    with Client(to(fake)) as consul, pytest.raises(errors.BadRequest):
        consul.kv.delete(key)
    assert fake.asked == []


def test_what_an_answer_says_of_itself(fake: FakeConsul, read: Read) -> None:
    fake.say(fake_consul.listing([1], index=7, last_contact_ms=12))
    answer = read(to(fake))
    assert (answer.value, answer.index, answer.known_leader) == ([1], 7, True)
    assert (answer.last_contact_ms, answer.size) == (12, 3)


@pytest.mark.parametrize("index", ["", "abc", "-4", "1.5", "٣", "9" * 30])
def test_an_index_that_is_no_number_is_0(fake: FakeConsul, read: Read, index: str) -> None:
    headers = {"X-Consul-Index": index.encode().decode("latin-1")}
    fake.say(Told(headers=headers))
    assert read(to(fake)).index == 0


def test_without_a_leader_header_no_leader_is_known(fake: FakeConsul, read: Read) -> None:
    assert read(to(fake)).known_leader is False


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (fake_consul.failure("Permission denied", 403), errors.PermissionDenied, "node:read"),
        (
            fake_consul.failure("rpc error making call: Permission denied", 500),
            errors.PermissionDenied,
            "node:read",
        ),
        (fake_consul.failure("ACL not found", 403), errors.AclNotFound, "not know this token"),
        (fake_consul.failure("ACL support disabled", 401), errors.AclDisabled, "no ACLs"),
        (fake_consul.failure("Invalid index", 400), errors.BadRequest, "Invalid index"),
        (fake_consul.failure("", 404), errors.NotFound, "may not read it"),
        (fake_consul.failure("method PUT not allowed", 405), errors.BadRequest, "405"),
        (fake_consul.failure("No cluster leader", 500), errors.NoLeader, "election"),
        (fake_consul.failure("leadership lost while committing", 500), errors.NoLeader, "lost"),
        (fake_consul.failure("node is not the leader", 500), errors.NoLeader, "election"),
        (fake_consul.failure("No known Consul servers", 500), errors.NoLeader, "log"),
        (fake_consul.failure("No path to datacenter"), errors.WrongDatacenter, "Correct the name"),
        (fake_consul.failure("boom", 500), errors.ServerError, "500: boom"),
        (fake_consul.failure("", 503), errors.ServerError, "no text"),
        (fake_consul.failure("rate limit", 429), errors.ServerError, "429"),
        (
            fake_consul.failure("Client sent an HTTP request to an HTTPS server.", 400),
            errors.TlsFailed,
            "https://",
        ),
        (fake_consul.web_page(), errors.NotConsul, "web page"),
        (fake_consul.web_page(403), errors.NotConsul, "web page"),
        (fake_consul.web_page(502), errors.NotConsul, "502"),
        (Told(b"  <html>"), errors.NotConsul, "web page"),
        (fake_consul.GARBAGE, errors.BadAnswer, "not usable JSON"),
        (Told(b""), errors.BadAnswer, "nothing"),
        (Told(b'{"a": 1'), errors.BadAnswer, "not usable JSON"),
        (Told(b"[NaN]"), errors.BadAnswer, "NaN"),
        (fake_consul.half(["x" * 100]), errors.BadAnswer, "broke off"),
        (fake_consul.NOT_HTTP, errors.NotConsul, "not answer in HTTP"),
        (fake_consul.SILENT_END, errors.Unreachable, "without an answer"),
    ],
)
def test_each_failure_has_its_type(
    fake: FakeConsul, read: Read, told: Told, kind: type[errors.ConsulError], words: str
) -> None:
    fake.say(told)
    with pytest.raises(errors.ConsulError) as caught:
        read(to(fake), "/v1/catalog/nodes")
    assert type(caught.value) is kind
    text = str(caught.value)
    assert words in text
    assert text.startswith("prod: GET /v1/catalog/nodes: ")
    assert "<script>" not in text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(fake: FakeConsul, read: Read, status: int) -> None:
    with FakeConsul() as other:
        fake.say(fake_consul.redirect(f"{other.address}/v1/x?token=hush", status))
        with pytest.raises(errors.BadAnswer, match=f"redirects to “{other.address}/v1/x”"):
            read(to(fake))
        assert other.asked == []


def test_the_token_is_struck_out_of_an_error_that_echoes_it(fake: FakeConsul, read: Read) -> None:
    fake.say(fake_consul.failure(f"what is {TOKEN}?"))
    with pytest.raises(errors.ServerError) as caught:
        read(to(fake), f"/v1/acl/{TOKEN}")
    assert TOKEN not in f"{caught.value} {caught.value!r} {caught.value.__dict__}"


def test_nobody_listens(read: Read) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(errors.Unreachable, match="refused"):
        read(Connection("prod", f"http://127.0.0.1:{port}"))


def test_a_host_name_that_is_not_known(read: Read) -> None:
    with pytest.raises(errors.Unreachable, match="host name"):
        read(Connection("prod", "http://no-such-host.invalid:8500"))


def test_an_address_that_is_none_is_an_error_of_the_call(read: Read) -> None:
    with pytest.raises(errors.Unreachable, match="user name") as caught:
        read(Connection("prod", "http://user:secret@host"))
    assert "secret" not in str(caught.value)


def test_a_server_that_never_answers(fake: FakeConsul, read: Read) -> None:
    fake.say(fake_consul.HANG)
    with pytest.raises(errors.TimedOut, match=r"0\.2 s"):
        read(to(fake), timeout_s=0.2)


def test_a_server_that_answers_byte_by_byte_does_not_outlive_the_deadline(
    fake: FakeConsul, read: Read
) -> None:
    fake.say(Told(b"[" + b" " * 10_000 + b"]", trickle_s=0.05))
    with pytest.raises(errors.TimedOut):
        read(to(fake), timeout_s=0.3)


def test_a_body_beyond_the_limit(
    fake: FakeConsul, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_BODY", 1 << 20)
    fake.say(fake_consul.huge_check(2))
    with pytest.raises(errors.BadAnswer, match="more than 1 MB"):
        read(to(fake))


def test_a_check_output_of_50_mb_is_read(fake: FakeConsul, read: Read) -> None:
    fake.say(fake_consul.huge_check(50))
    assert len(read(to(fake), timeout_s=60).value[0]["Output"]) == 50 << 20

"""`alerts start` and `alerts watch`: consul-alerts' options, exit codes and handlers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.management import call_command

from consulops.api.consul_alerts import starting
from consulops.api.consul_alerts.starting import BadOptions, Options, settle
from consulops.lab.cluster import LocalCluster
from consulops.lab.registrations import ttl_check
from tests.product import Product, clean_environment, free_port, manage
from tests.receivers import Answer, WebhookReceiver
from tests.waiting import eventually

GIVEN = {
    "alert-addr": "localhost:9000",
    "consul-addr": "localhost:8500",
    "consul-dc": "dc1",
    "consul-acl-token": "",
    "log-level": "warn",
}


def test_the_defaults_are_those_of_consul_alerts() -> None:
    chosen = settle(GIVEN, None, "")
    assert chosen == Options("localhost:9000", "localhost:8500", "dc1", "", "warning")
    assert chosen.consul_url == "http://localhost:8500"


@pytest.mark.parametrize("address", ["https://consul:8501", "http://127.0.0.1:8500"])
def test_an_address_may_have_its_scheme(address: str) -> None:
    assert settle({**GIVEN, "consul-addr": address}, None, "").consul_url == address


@pytest.mark.parametrize(
    ("option", "environment", "token"),
    [
        ("", "", ""),
        ('""', "", ""),
        ("", "from-environment", "from-environment"),
        ('""', "from-environment", "from-environment"),
        ("given", "from-environment", "given"),
    ],
)
def test_the_token_and_the_two_quotes_that_are_none(
    option: str, environment: str, token: str
) -> None:
    assert settle({**GIVEN, "consul-acl-token": option}, None, environment).token == token


@pytest.mark.parametrize(
    ("word", "level"),
    [("debug", "debug"), ("info", "info"), ("warn", "warning"), ("err", "error")],
)
def test_levels_of_the_log(word: str, level: str) -> None:
    assert settle({**GIVEN, "log-level": word}, None, "").log_level == level


def test_the_file_wins_over_the_options(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    values = {
        "log-level": "err",
        "consul-acl-token": "from-file",
        "consul-addr": "consul:8500",
        "consul-dc": "dc7",
        "alert-addr": "127.0.0.1:9001",
        "watch-checks": True,
        "watch-events": False,
    }
    file.write_text(json.dumps(values))
    chosen = settle(GIVEN, str(file), "environment")
    assert chosen == Options("127.0.0.1:9001", "consul:8500", "dc7", "from-file", "error")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "does not hold an object"),
        ('{"consul-port": 1}', "there is no option 'consul-port'"),
        ('{"consul-dc": 1}', "consul-dc must be text"),
        ('{"watch-checks": "yes"}', "watch-checks must be true or false"),
        ('{"log-level": "loud"}', "'loud' is none of"),
        ('{"alert-addr": "localhost"}', "is not HOST:PORT"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "options.json"
    file.write_text(text)
    with pytest.raises(BadOptions, match=said):
        settle(GIVEN, str(file), "")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadOptions, match="Cannot read /nowhere"):
        settle(GIVEN, "/nowhere", "")


@pytest.mark.parametrize(
    ("text", "bound"), [(":9000", "0.0.0.0:9000"), ("[::1]:9000", "[::1]:9000")]
)
def test_addresses_to_listen_on(text: str, bound: str) -> None:
    assert starting.bind_address(text) == bound


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as started:
        yield started


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the command reads."""

    def set_to(body: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))

    return set_to


@pytest.mark.parametrize(
    ("what", "path"), [("checks", "/v1/process/checks"), ("event", "/v1/process/events")]
)
def test_watch_hands_over_what_it_reads(
    receiver: WebhookReceiver, stdin: Any, what: str, path: str
) -> None:
    stdin(b'[{"Node": "n1"}]')
    call_command("alerts", "watch", what, alert_addr=f"127.0.0.1:{receiver.port}")
    (request,) = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", path, b'[{"Node": "n1"}]')


def exit_of(*words: str, **options: Any) -> int:
    with pytest.raises(SystemExit) as stopped:
        call_command("alerts", *words, **options)
    return int(str(stopped.value.code))


def test_watch_exits_with_2_when_nobody_answers(
    stdin: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(b"[]")
    assert exit_of("watch", "checks", alert_addr=f"127.0.0.1:{free_port()}") == 2
    assert "Nobody answers" in capsys.readouterr().err


def test_watch_needs_to_know_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of("watch") == 2
    assert "watch checks" in capsys.readouterr().err


def test_start_refuses_when_somebody_answers_already(
    receiver: WebhookReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answer = Answer(201)
    address = f"127.0.0.1:{receiver.port}"
    assert exit_of("start", alert_addr=address) == 1
    assert f"already answers at {address}" in capsys.readouterr().err


def test_start_says_that_others_see_the_token(
    receiver: WebhookReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answer = Answer(201)
    address = f"127.0.0.1:{receiver.port}"
    exit_of("start", alert_addr=address, consul_acl_token="s3cret")
    said = capsys.readouterr()
    assert "CONSUL_HTTP_TOKEN_FILE" in said.err
    assert "s3cret" not in said.err + said.out


@pytest.mark.parametrize("words", [("start", "checks"), ("start", "--log-level=loud")])
def test_start_with_bad_options(words: tuple[str, ...]) -> None:
    assert exit_of(*words) == 2


def test_the_handler_starts_no_database(tmp_path: Path) -> None:
    """It runs at each change of a check."""
    done = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "alerts",
            "watch",
            "checks",
            f"--alert-addr=localhost:{free_port()}",
        ],
        cwd=Path(__file__).resolve().parents[2],
        env=clean_environment(tmp_path, {}),
        input="[]",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Nobody answers" in done.stderr) == (2, True)
    assert not [one for one in tmp_path.rglob("*") if "postgres" in one.name]


class DropIn(Product):
    """`manage.py alerts start` over a data folder."""

    command: ClassVar[tuple[str, ...]] = ("alerts", "start")


@pytest.mark.product
@pytest.mark.consul
def test_the_drop_in(tmp_path: Path, consul: LocalCluster) -> None:
    """Started as consul-alerts is, it answers as consul-alerts does."""
    consul.register_service("parity", checks=[ttl_check("parity-http", status="critical")])
    port = free_port()
    words = (
        f"--alert-addr=127.0.0.1:{port}",
        f"--consul-addr={consul.address.partition('://')[2]}",
        "--consul-dc=dc1",
        '--consul-acl-token=""',
        "--watch-checks",
        "--watch-events",
    )
    with DropIn(tmp_path, *words) as product:
        product.port = port
        product.wait_for("ConsulOps is ready")
        assert product.said("The cluster dc1 is added.")
        assert product.get("/v1/info")[0] == 201
        node = consul.call("GET", "agent/self")["Config"]["NodeName"]
        path = f"/v1/health?node={node}&service=parity&check=parity-http"
        eventually(lambda: product.get(path)[0] == 503)
        assert product.get(path)[1].startswith("status: critical\n")
        again = manage(tmp_path / "other", "alerts", "start", f"--alert-addr=127.0.0.1:{port}")
        assert again.returncode == 1
        assert "already answers" in again.stderr
        handed = subprocess.run(
            [sys.executable, "manage.py", "alerts", "watch", "checks", words[0]],
            cwd=Path(__file__).resolve().parents[2],
            env=clean_environment(tmp_path, {}),
            input="[]",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (handed.returncode, handed.stderr) == (0, "")

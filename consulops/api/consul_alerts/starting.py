"""consul-alerts' command line: what its options mean here, and the talk to who answers already."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consulops.core.up.preflight import split

ALERT_ADDR = "localhost:9000"
CONSUL_ADDR = "localhost:8500"
DATACENTER = "dc1"
LOG_LEVEL = "warn"
# Its words to ours.
LOG_LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "err": "error"}
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what people bind to
_PATIENCE_S = 5.0
_ANSWER_BYTES = 2000
# Of the file, with the type that each must have.
_IN_FILE: Mapping[str, type] = {
    "log-level": str,
    "consul-acl-token": str,
    "consul-addr": str,
    "consul-dc": str,
    "alert-addr": str,
    "watch-checks": bool,
    "watch-events": bool,
}


class BadOptions(Exception):
    """Options that cannot be used, and why."""


class NobodyAnswers(Exception):
    """There is no daemon at the address, or it does not take what it is sent."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `alerts start`, settled."""

    alert_addr: str
    consul_addr: str
    datacenter: str
    token: str
    log_level: str

    @property
    def consul_url(self) -> str:
        """consul-alerts wants no scheme; one that is there stays."""
        return self.consul_addr if "://" in self.consul_addr else f"http://{self.consul_addr}"


def settle(given: Mapping[str, Any], file: str | None, token: str) -> Options:
    """What holds: the file over the options, both over the environment's token.

    Raises BadOptions. The literal two quotes, consul-alerts' default, are no token.
    """
    values = dict(given) | (read_file(Path(file)) if file else {})
    level = values["log-level"]
    if level not in LOG_LEVELS:
        raise BadOptions(f"log-level: {level!r} is none of {', '.join(LOG_LEVELS)}.")
    chosen = values["consul-acl-token"] or ""
    return Options(
        alert_addr=bind_address(values["alert-addr"]),
        consul_addr=values["consul-addr"],
        datacenter=values["consul-dc"],
        token=token if chosen in ("", '""') else chosen,
        log_level=LOG_LEVELS[level],
    )


def read_file(path: Path) -> dict[str, Any]:
    """The JSON of `--config-file`. Raises BadOptions."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadOptions(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BadOptions(f"{path} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise BadOptions(f"{path} does not hold an object.")
    for name, value in values.items():
        wanted = _IN_FILE.get(name)
        if wanted is None:
            raise BadOptions(f"{path}: there is no option {name!r}.")
        if not isinstance(value, wanted):
            what = "text" if wanted is str else "true or false"
            raise BadOptions(f"{path}: {name} must be {what}.")
    return values


def bind_address(text: str) -> str:
    """HOST:PORT, where no host means all of them. Raises BadOptions."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadOptions(f"alert-addr: {text!r} is not HOST:PORT.")
    return f"{host or '0.0.0.0'}:{port}"  # noqa: S104 - as Go's own listener does


def answers(address: str) -> bool:
    """Whether consul-alerts, or we in its place, answer at the address already."""
    try:
        return _ask(address, "GET", "/v1/info", None)[0] == http.client.CREATED
    except NobodyAnswers:
        return False


def hand_over(address: str, what: str, body: bytes) -> None:
    """Sends what a handler of `consul watch` was given. Raises NobodyAnswers."""
    path = {"checks": "/v1/process/checks", "event": "/v1/process/events"}[what]
    status, text = _ask(address, "POST", path, body)
    if status != http.client.OK:
        raise NobodyAnswers(f"{address} answers {status}: {text.strip()}")


def _ask(address: str, method: str, path: str, body: bytes | None) -> tuple[int, str]:
    host, port = split(address)
    link = http.client.HTTPConnection(_EVERYWHERE.get(host, host), port, timeout=_PATIENCE_S)
    try:
        # A name that every ConsulOps answers to, whatever its address is called.
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        link.request(method, path, body, headers)
        answer = link.getresponse()
        return answer.status, answer.read(_ANSWER_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise NobodyAnswers(f"Nobody answers at {address}: {error}") from error
    finally:
        link.close()

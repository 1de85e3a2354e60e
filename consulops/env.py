"""Reads the environment: every setting of ConsulOps is declared here once, with its meaning."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

PREFIX = "CONSULOPS_"


class BadEnvironment(Exception):
    """A setting is unknown or has a bad value; the text is the one line to show."""


def _text(value: str) -> str:
    return value


def _flag(value: str) -> bool:
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("is neither 0 nor 1")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(f"is none of {', '.join(allowed)}")
        return value.lower()

    return parse


def _bind(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("is not HOST:PORT")
    return value


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _path(value: str) -> Path:
    return Path(value).expanduser().resolve()


def _database(value: str) -> str:
    try:
        conninfo_to_dict(value)
    except ProgrammingError:
        raise ValueError("is no PostgreSQL URL such as postgresql://user:…@host/name") from None
    return value


def _keys(value: str) -> list[str]:
    found = _words(value)
    for key in found:
        try:
            Fernet(key)
        except ValueError:
            raise ValueError("holds something that is no Fernet key") from None
    return found


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is no address such as https://consulops.example.com")
    return value.rstrip("/")


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its name, how its text is read, its default and what it means."""

    name: str
    parse: Callable[[str], object]
    default: str | None
    help: str


SETTINGS: tuple[Setting, ...] = (
    Setting("DATABASE_URL", _database, None, "PostgreSQL to use; unset: an embedded server."),
    Setting(
        "CONSULOPS_DATA",
        _path,
        "./var",
        "Folder for the database, keys, logs and demo.",
    ),
    Setting(
        "CONSULOPS_EXECUTABLES",
        _path,
        None,
        "Folder of the programs that may be run; unset: executables in the data folder.",
    ),
    Setting("CONSULOPS_BIND", _bind, "127.0.0.1:8000", "Address and port of the web pages."),
    Setting(
        "CONSULOPS_URL",
        _url,
        None,
        "How people reach the pages, for links in messages; unset: http:// and the bind address.",
    ),
    Setting("CONSULOPS_DEMO", _flag, None, "1: start the demo, 0: never; unset: when empty."),
    Setting("CONSULOPS_DEBUG", _flag, "0", "1: Django's debug pages; never in production."),
    Setting(
        "CONSULOPS_SECRET_KEY",
        _text,
        None,
        "Signs sessions and tasks; unset: generated.",
    ),
    Setting(
        "CONSULOPS_ENCRYPTION_KEYS",
        _keys,
        None,
        "Fernet keys for secrets at rest, newest first, comma-separated; unset: generated.",
    ),
    Setting("CONSULOPS_ALLOWED_HOSTS", _words, None, "Host names the pages answer to."),
    Setting(
        "CONSULOPS_ADMIN_PASSWORD",
        _text,
        None,
        "Password of the admin; first start only.",
    ),
    Setting(
        "CONSULOPS_LOG_LEVEL",
        _one_of("debug", "info", "warning", "error"),
        "info",
        "Least severe message to log.",
    ),
    Setting("CONSULOPS_LOG_FORMAT", _one_of("text", "json"), "text", "How a log line looks."),
    Setting(
        "CONSULOPS_CONSUL_ALERTS_API",
        _one_of("off", "local", "on"),
        "local",
        "Who may ask consul-alerts' addresses: nobody, this machine, everybody.",
    ),
    Setting(
        "CONSULOPS_CONSUL_ALERTS_CLUSTER",
        _text,
        None,
        "The cluster that they mean when a caller names none; unset: all of them.",
    ),
    Setting("CONSUL_BIN", _text, None, "The consul binary for the demo and drills."),
    Setting("CONSUL_HTTP_ADDR", _text, None, "First cluster's address; first start only."),
    Setting("CONSUL_HTTP_TOKEN", _text, None, "First cluster's ACL token; first start only."),
    Setting(
        "CONSUL_CACERT",
        _text,
        None,
        "First cluster's CA certificate; first start only.",
    ),
    Setting(
        "CONSUL_CLIENT_CERT",
        _text,
        None,
        "First cluster's client certificate; first start.",
    ),
    Setting(
        "CONSUL_CLIENT_KEY",
        _text,
        None,
        "First cluster's client key; first start only.",
    ),
)

# Set by `up` for the processes that it starts; not for people.
INTERNAL = frozenset({"CONSULOPS_PROCESS"})


class Environment:
    """The parsed settings; look one up by its name, `None` means unset without a default."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        source = os.environ if environ is None else environ
        _refuse_unknown(source)
        self._values = {setting.name: _read(setting, source) for setting in SETTINGS}

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def text(self, name: str) -> str:
        """The text of a setting, empty when unset."""
        value = self._values[name]
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool | None:
        value = self._values[name]
        return value if isinstance(value, bool) else None

    def words(self, name: str) -> list[str]:
        value = self._values[name]
        return list(value) if isinstance(value, list) else []

    def path(self, name: str) -> Path:
        value = self._values[name]
        if not isinstance(value, Path):
            raise TypeError(f"{name} is not a path")
        return value


def _refuse_unknown(source: Mapping[str, str]) -> None:
    names = {setting.name for setting in SETTINGS}
    known = names | {f"{name}_FILE" for name in names} | INTERNAL
    for name in source:
        if name.startswith(PREFIX) and name not in known:
            raise BadEnvironment(f"{name}: no such setting; see docs/settings.md.")


def _read(setting: Setting, source: Mapping[str, str]) -> object:
    text, origin = source.get(setting.name), setting.name
    file_name = source.get(f"{setting.name}_FILE")
    if file_name:
        if text is not None:
            raise BadEnvironment(f"{setting.name} and {setting.name}_FILE are both set.")
        origin = f"{setting.name}_FILE"
        try:
            text = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadEnvironment(f"{origin}: cannot read {file_name}: {error}.") from error
    if text is None or text == "":
        text = setting.default
    if text is None:
        return None
    try:
        return setting.parse(text)
    except ValueError as error:
        # The value itself stays out of the message: it may be a secret.
        raise BadEnvironment(f"{origin}: the value {error}.") from error

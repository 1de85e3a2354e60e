"""The environment: what is read, and that a mistake is told without the value itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from consulops.env import SETTINGS, BadEnvironment, Environment


def test_defaults() -> None:
    env = Environment({})
    assert env.path("CONSULOPS_DATA") == Path("var").resolve()
    assert env.text("CONSULOPS_BIND") == "127.0.0.1:8000"
    assert env.flag("CONSULOPS_DEMO") is None
    assert env.text("DATABASE_URL") == ""
    assert env.words("CONSULOPS_ALLOWED_HOSTS") == []


def test_an_empty_value_counts_as_unset() -> None:
    assert Environment({"CONSULOPS_LOG_LEVEL": ""}).text("CONSULOPS_LOG_LEVEL") == "info"


def test_values() -> None:
    env = Environment(
        {
            "CONSULOPS_DEMO": "no",
            "CONSULOPS_LOG_LEVEL": "WARNING",
            "CONSULOPS_ALLOWED_HOSTS": "a.example, b.example,",
            "CONSULOPS_BIND": "[::1]:80",
            "CONSULOPS_URL": "https://ops.example.com/",
        }
    )
    assert env.flag("CONSULOPS_DEMO") is False
    assert env.text("CONSULOPS_LOG_LEVEL") == "warning"
    assert env.words("CONSULOPS_ALLOWED_HOSTS") == ["a.example", "b.example"]
    assert env.text("CONSULOPS_BIND") == "[::1]:80"
    assert env.text("CONSULOPS_URL") == "https://ops.example.com"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_is_also_read_from_a_file(setting: object, tmp_path: Path) -> None:
    name = setting.name  # type: ignore[attr-defined]
    good = {
        "CONSULOPS_BIND": "127.0.0.1:9",
        "CONSULOPS_DEMO": "1",
        "CONSULOPS_DEBUG": "1",
        "CONSULOPS_LOG_LEVEL": "debug",
        "CONSULOPS_LOG_FORMAT": "json",
        "CONSULOPS_CONSUL_ALERTS_API": "on",
        "CONSULOPS_URL": "http://ops.example.com",
        "CONSULOPS_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": "postgresql://host/name",
    }.get(name, "/some/text")
    file = tmp_path / "value"
    file.write_text(f"{good}\n")
    assert Environment({f"{name}_FILE": str(file)})[name] == Environment({name: good})[name]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"CONSULOPS_TYPO": "1"}, "CONSULOPS_TYPO: no such setting"),
        ({"CONSULOPS_DEMO": "perhaps"}, "CONSULOPS_DEMO: the value is neither 0 nor 1"),
        ({"CONSULOPS_BIND": "localhost"}, "not HOST:PORT"),
        ({"CONSULOPS_BIND": "h:70000"}, "not HOST:PORT"),
        ({"CONSULOPS_BIND": ":80"}, "not HOST:PORT"),
        ({"CONSULOPS_LOG_LEVEL": "loud"}, "none of debug, info, warning, error"),
        ({"CONSULOPS_LOG_FORMAT": "xml"}, "none of text, json"),
        ({"CONSULOPS_URL": "ops.example.com"}, "no address"),
        ({"DATABASE_URL": "postgres://h/d?nonsense=1"}, "no PostgreSQL URL"),
        ({"CONSULOPS_ENCRYPTION_KEYS": "abc"}, "no Fernet key"),
        ({"DATABASE_URL": "postgresql://h/d", "DATABASE_URL_FILE": "/x"}, "both set"),
        ({"DATABASE_URL_FILE": "/does/not/exist"}, "DATABASE_URL_FILE: cannot read"),
    ],
)
def test_a_mistake_is_one_line(given: dict[str, str], said: str) -> None:
    with pytest.raises(BadEnvironment) as caught:
        Environment(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_secret_is_not_repeated() -> None:
    with pytest.raises(BadEnvironment) as caught:
        Environment({"CONSULOPS_ENCRYPTION_KEYS": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_what_up_sets_for_its_processes_is_known() -> None:
    Environment({"CONSULOPS_PROCESS": "web"})

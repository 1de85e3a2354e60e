"""The watchdog's settings in the file of `apply` and `export`."""

from __future__ import annotations

import pytest
import yaml

from consulops.api.configuration.applying import apply
from consulops.api.configuration.document import parse
from consulops.api.configuration.exporting import export
from consulops.api.configuration.problems import BadFile
from consulops.api.configuration.sections import FORMS
from consulops.watchdog.models import Watchdog
from tests.alerts.factories import TEST

pytestmark = pytest.mark.django_db

SECTION = {
    "unreachable_after_s": 45,
    "heartbeat_url": "https://hc.example/very-secret",
    "heartbeat_tells_failure": True,
}


def applied(section: object) -> list[str]:
    document = parse({"watchdog": section}, FORMS)
    return [str(change) for change in apply(TEST, document, prune=True, dry_run=False)]


def test_a_file_is_applied_once_and_exported_as_it_was() -> None:
    (said,) = applied(SECTION)
    assert said.startswith("changed watchdog (")
    assert "very-secret" not in said
    assert applied(SECTION) == ["unchanged watchdog"]
    assert yaml.safe_load(export(secrets=True))["watchdog"] == SECTION


def test_the_address_is_exported_only_when_asked_for_and_kept_when_left_out() -> None:
    applied(SECTION)
    exported = export(secrets=False)
    assert "very-secret" not in exported
    assert applied(yaml.safe_load(exported)["watchdog"]) == ["unchanged watchdog"]
    assert Watchdog.load().heartbeat_url == SECTION["heartbeat_url"]


def test_an_empty_address_removes_it() -> None:
    applied(SECTION)
    applied({"heartbeat_url": ""})
    assert Watchdog.load().heartbeat_set_at is None


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"unreachable_after_s": 3}, "watchdog.unreachable_after_s: "),
        ({"heartbeat_url": "very-secret"}, "watchdog.heartbeat_url: Enter an address"),
        ({"heartbeat": "x"}, "watchdog.heartbeat: there is no such setting"),
    ],
)
def test_mistakes_have_their_place(section: dict[str, object], said: str) -> None:
    with pytest.raises(BadFile) as caught:
        applied(section)
    assert caught.value.problems[0].startswith(said)
    assert "very-secret" not in str(caught.value.problems)

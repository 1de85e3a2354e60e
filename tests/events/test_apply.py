"""Event handlers in the file of `apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from consulops.accounts.audit import Actor
from consulops.api.configuration.applying import apply
from consulops.api.configuration.document import parse
from consulops.api.configuration.exporting import export
from consulops.api.configuration.problems import BadFile
from consulops.api.configuration.sections import FORMS
from consulops.events.models import EventHandler
from tests.events.things import make_handler, write_program

pytestmark = pytest.mark.django_db

HOOK: dict[str, Any] = {
    "name": "hook",
    "kind": "webhook",
    "config": {"url": "http://127.0.0.1:9/hook"},
}


def run(*handlers: dict[str, Any], prune: bool = False) -> list[str]:
    """Applies these handlers; gives what was done."""
    document = parse({"event_handlers": list(handlers)}, FORMS)
    actor = Actor.named("apply")
    return [str(one) for one in apply(actor, document, prune=prune, dry_run=False)]


def test_made_changed_and_left_alone(folder: Path) -> None:
    program = write_program(folder, "true", "restart")
    other = {
        "name": "restart",
        "event": "restart-.*",
        "cluster": "dc1",
        "kind": "executable",
        "config": {"program": program, "arguments": ["-v"]},
        "timeout_s": 5,
        "enabled": False,
    }
    assert run(HOOK, other) == [
        "created event handler hook",
        "created event handler restart",
    ]
    assert run(HOOK, other) == [
        "unchanged event handler hook",
        "unchanged event handler restart",
    ]
    assert run({**HOOK, "event": "a"})[0] == "changed event handler hook (settings)"
    found = EventHandler.objects.get(name="restart")
    assert found.config == {"program": "restart", "arguments": ["-v"]}
    assert (found.event_pattern, found.cluster_pattern) == ("restart-.*", "dc1")
    assert (found.timeout_s, found.enabled) == (5, False)


def test_export_gives_what_apply_takes(folder: Path) -> None:
    make_handler(secrets={"secret": "s3cr3t", "headers": {"X-Key": "s3cr3t"}})
    assert "s3cr3t" not in export(secrets=False)
    for secrets in (True, False):
        rows = yaml.safe_load(export(secrets=secrets))["event_handlers"]
        assert run(*rows) == ["unchanged event handler hook"]


def test_prune() -> None:
    make_handler("old")
    assert run(HOOK) == ["created event handler hook"]
    assert run(HOOK, prune=True) == [
        "unchanged event handler hook",
        "removed event handler old",
    ]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"event": "("}, "event_handlers[0].event: no regular expression"),
        ({"cluster": "["}, "event_handlers[0].cluster: no regular expression"),
        ({"kind": "pigeon"}, "event_handlers[0].kind: "),
        ({"config": {"url": "ftp://x"}}, "event_handlers[0].config.url: "),
        ({"config": {**HOOK["config"], "colour": "red"}}, "event_handlers[0].config.colour: "),
        ({"kind": "executable", "config": {"program": "x"}}, "event_handlers[0].config.program: "),
        ({"timeout_s": 0}, "event_handlers[0].timeout_s: "),
    ],
)
def test_mistakes_have_their_place(folder: Path, changes: dict[str, Any], place: str) -> None:
    with pytest.raises(BadFile) as wrong:
        run({**HOOK, **changes})
    assert [one[: len(place)] for one in wrong.value.problems] == [place]
    assert not EventHandler.objects.exists()

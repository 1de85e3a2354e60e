"""Silences in the file of `apply` and `export`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.utils import timezone

from consulops.accounts.models import AuditEntry
from consulops.silences.models import Origin, Silence
from consulops.silences.services import expire
from tests.silences.things import HOUR, TEST, make_silence, put_in_time

pytestmark = pytest.mark.django_db

NIGHTS = '[{days: [tue, mon], begin: "22:00", end: "02:00", timezone: Europe/Berlin}]'
BACKUP = f"{{match: {{service: postgres}}, comment: Nightly backup, windows: {NIGHTS}}}"
START = datetime(2099, 1, 1, 18, tzinfo=UTC)

Applied = tuple[list[str], list[str]]
Apply = Callable[..., Applied]


@pytest.fixture
def apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Apply:
    """Applies a section of silences; gives the lines of both outputs."""

    def run(text: str, *options: str) -> Applied:
        file = tmp_path / "file.yaml"
        file.write_text(text if text.startswith("silences:") else f"silences: [{text}]")
        try:
            call_command("apply", str(file), *options)
        except SystemExit as stop:
            assert str(stop.code) == "2"
        said = capsys.readouterr()
        return said.out.splitlines(), said.err.splitlines()

    return run


def item(**values: Any) -> str:
    return json.dumps({"match": {"node": "db-1"}, "comment": "swap"} | values, default=str)


def test_the_same_file_twice(apply: Apply) -> None:
    assert apply(BACKUP) == (["created silence Nightly backup"], [])
    silence = Silence.objects.get()
    assert (silence.origin, silence.author_name, silence.ends_at) == (Origin.FILE, "apply", None)
    assert silence.windows[0]["days"] == ["mon", "tue"]
    before = AuditEntry.objects.count()
    assert apply(BACKUP) == (["unchanged silence Nightly backup"], [])
    assert (Silence.objects.get(), AuditEntry.objects.count()) == (silence, before)


def test_only_its_end_may_change(apply: Apply) -> None:
    end = timezone.now() + HOUR
    apply(item(ends_at=end))
    silence = Silence.objects.get()
    assert apply(item(ends_at=end + HOUR))[0] == ["changed silence swap (ends_at)"]
    assert apply(item())[0] == ["changed silence swap (ends_at)"]
    assert Silence.objects.get() == silence
    assert apply(item(match={"node": "db-2"}))[0] == ["created silence swap"]
    assert apply(item(comment="other"))[0] == ["created silence other"]


def test_a_start_that_is_given_tells_silences_apart(apply: Apply) -> None:
    first = item(starts_at=START, ends_at=START + HOUR)
    second = item(starts_at=START + 2 * HOUR, ends_at=START + 3 * HOUR)
    assert apply(f"{first}, {second}")[0] == ["created silence swap"] * 2
    assert apply(f"{second}, {first}")[0] == ["unchanged silence swap"] * 2
    # Times may stand without quotes as well.
    unquoted = "{match: {node: db-1}, comment: swap, starts_at: 2099-01-01T18:00:00Z, ends_at: "
    assert apply(f"{unquoted} 2099-01-01T20:00:00+01:00}}")[0] == ["unchanged silence swap"]


def test_what_a_person_has_made_just_so_is_the_same(apply: Apply) -> None:
    silence = make_silence(match={"node": "db-1"}, comment="swap", ends_at=None)
    assert apply(item())[0] == ["unchanged silence swap"]
    silence.refresh_from_db()
    assert silence.origin == Origin.PAGE


def test_what_is_over_is_left_alone_if_it_was_there(apply: Apply) -> None:
    end = timezone.now() + HOUR
    apply(item(ends_at=end))
    now = timezone.now()
    put_in_time(Silence.objects.get(), starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    assert apply(item(ends_at=now - HOUR))[0] == ["unchanged silence swap"]
    # The same with an end ahead is a new one: that one did not hold in between.
    assert apply(item(ends_at=end))[0] == ["created silence swap"]
    assert Silence.objects.count() == 2


def test_one_with_its_start_begins_again_when_somebody_has_ended_it(apply: Apply) -> None:
    now = timezone.now()
    text = item(starts_at=now - HOUR, ends_at=now + HOUR)
    apply(text)
    expire(TEST, Silence.objects.get())
    assert apply(text)[0] == ["changed silence swap (ends_at)"]
    assert Silence.objects.active(timezone.now()).count() == 1


def test_prune_ends_only_what_a_file_has_made(apply: Apply) -> None:
    person = make_silence()
    imported = make_silence(comment="blacklist", match={"node": "x"}, ends_at=None)
    put_in_time(imported, origin=Origin.CONSUL_ALERTS)
    apply(f"{BACKUP}, {item()}")
    assert apply(BACKUP)[0] == ["unchanged silence Nightly backup"]
    assert apply(BACKUP, "--prune", "--dry-run")[0][:2] == [
        "unchanged silence Nightly backup",
        "removed silence swap",
    ]
    assert Silence.objects.living(timezone.now()).count() == 4
    apply(BACKUP, "--prune")
    living = Silence.objects.living(timezone.now()).exclude(comment="Nightly backup")
    assert set(living) == {person, imported}
    swap = Silence.objects.get(comment="swap")
    assert swap.ends_at is not None
    assert apply("silences: []", "--prune")[0] == ["removed silence Nightly backup"]
    assert apply("silences: []", "--prune")[0] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{comment: x}", "silences[0].match: this is missing"),
        ("{match: {node: x}}", "silences[0].comment: this is missing"),
        (item(comment=" "), "silences[0].comment: say why"),
        (item(match={}), "silences[0].match: it would silence every check"),
        (item(match={"node": "("}), "silences[0].match.node: no regular expression"),
        (item(match={"status": ["ok"]}), "silences[0].match.status[0]: 'ok' is neither"),
        (item(windows=[{}]), "silences[0].windows[0].days: a list of at least one"),
        (
            "{match: {node: x}, comment: x, windows: [{days: [mon], begin: 22:00, end: 23:00}]}",
            'silences[0].windows[0].begin: put it in quotes: "22:00"',
        ),
        (item(ends_at="2020-01-01T00:00:00Z"), "silences[0].ends_at: this time is over"),
        (item(ends_at="2099-01-01T00:00:00Z"), "silences[0].ends_at: longer than a year"),
        (item(ends_at="2099-01-01T00:00:00"), "silences[0].ends_at: must be a time with a zone"),
        ("{match: {node: x}, comment: x, ends_at: 2099-01-01}", "silences[0].ends_at: must be a t"),
        (item(ends_at=5), "silences[0].ends_at: must be a time with a zone"),
        (item(starts_at="soon"), "silences[0].starts_at: must be a time with a zone"),
        (item(until="x"), "silences[0].until: there is no such setting"),
        (f"{item()}, {item(ends_at=START)}", "silences[1]: this is silences[0] again"),
    ],
)
def test_a_mistake_has_its_place_and_changes_nothing(apply: Apply, text: str, problem: str) -> None:
    out, err = apply(text)
    assert out == []
    assert err[0].startswith(problem)
    assert err[-1] == "Nothing was changed."
    assert not Silence.objects.exists()


def test_everything_has_to_be_said(apply: Apply) -> None:
    assert apply(item(match={}, everything=True))[0] == ["created silence swap"]


def test_export_is_taken_back_unchanged(apply: Apply, capsys: pytest.CaptureFixture[str]) -> None:
    apply(f"{BACKUP}, {item(match={}, everything=True)}")
    now = timezone.now()
    make_silence(match={"node_meta": {"rack": "r1"}, "cluster": "dc1", "status": ["warning"]})
    put_in_time(make_silence(), starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    call_command("export")
    text = capsys.readouterr().out
    rows = yaml.safe_load(text)["silences"]
    assert [row["comment"] for row in rows] == ["Nightly backup", "swap", "migration"]
    assert list(rows[2]["match"]) == ["cluster", "node_meta", "status"]
    section = yaml.safe_dump({"silences": rows})
    out, _ = apply(section, "--prune")
    assert out == [f"unchanged silence {row['comment']}" for row in rows]
    Silence.objects.all().delete()
    assert [line.split()[0] for line in apply(section)[0]] == ["created"] * 3


def test_a_year_begins_when_the_silence_does(apply: Apply) -> None:
    assert apply(item(starts_at=START, ends_at=START + timedelta(days=300)))[1] == []

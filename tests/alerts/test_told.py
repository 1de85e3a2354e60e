"""Who was told, or why nobody was, in a few words."""

from __future__ import annotations

import pytest

from consulops.alerts.models import Notice
from consulops.alerts.told import NO_ROUTE, Quiet, Recipient, Told, told

PASSED = ("match", "passed", "the route's matchers agree")
HELD = ("wait", "held", "must last 30 s")
MISMATCH = ("match", "stopped", "no service matches db")
AGAIN = ("news", "held", "critical was told; a reminder is due later")
OLD = ("news", "stopped", "it ended before anyone was told")


WAITING = Told(why="must last 30 s", quiet=Quiet("Waiting", "must last 30 s"), is_waiting=True)


def notice(*verdicts: tuple[str, str, str], said: str = "") -> Notice:
    keys = ("stage", "outcome", "reason")
    told = [dict(zip(keys, one, strict=True)) for one in verdicts]
    return Notice(route_name="empty", verdicts=told, said=said)


@pytest.mark.parametrize(
    ("notices", "expected"),
    [
        ([], Told(why=NO_ROUTE, is_loud=True)),
        ([notice(MISMATCH)], Told(why=NO_ROUTE, is_loud=True)),
        ([notice(PASSED, HELD)], WAITING),
        ([notice(MISMATCH), notice(PASSED, HELD)], WAITING),
        ([notice(PASSED, OLD), notice(PASSED, HELD)], WAITING),
        ([notice(PASSED, OLD)], Told(why="it ended before anyone was told")),
        ([notice(PASSED, said="critical")], Told(why="empty tells nobody", is_loud=True)),
        ([notice(PASSED, AGAIN, said="critical")], Told(why="empty tells nobody", is_loud=True)),
        (
            [notice(PASSED, AGAIN, said="critical"), notice(PASSED, HELD)],
            WAITING,
        ),
        ([notice()], Told(why="nothing is decided yet", is_waiting=True)),
    ],
)
def test_why_nobody_was_told(notices: list[Notice], expected: Told) -> None:
    assert told(notices, [], is_open=True) == expected


def test_whoever_got_a_message_counts_more_than_what_is_decided_now() -> None:
    hook = Recipient("hook", "sent")
    assert told([notice(MISMATCH)], [hook], is_open=True) == Told((hook,))


@pytest.mark.parametrize(
    ("stage", "word"),
    [
        ("silence", "Silenced"),
        ("inhibition", "Inhibited"),
        ("flapping", "Flapping"),
        ("hours", "Outside hours"),
        ("maintenance", "In maintenance"),
        ("of another version", "Of another version"),
    ],
)
def test_what_was_told_and_is_quiet_now(stage: str, word: str) -> None:
    hook = Recipient("hook", "sent")
    found = told(
        [notice(PASSED, (stage, "held", "for a while"), said="critical")], [hook], is_open=True
    )
    assert found == Told((hook,), quiet=Quiet(word, "for a while"))


def test_a_reminder_to_come_is_no_quiet() -> None:
    assert told(
        [notice(PASSED, AGAIN, said="critical")], [Recipient("hook", "sent")], is_open=True
    ) == (Told((Recipient("hook", "sent"),)))


def test_what_is_over_is_not_loud() -> None:
    assert told([], [], is_open=False) == Told(why=NO_ROUTE)

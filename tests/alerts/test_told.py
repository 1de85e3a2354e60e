"""Who was told, or why nobody was, in a few words."""

from __future__ import annotations

import pytest

from consulops.alerts.models import Notice
from consulops.alerts.told import NO_ROUTE, Recipient, Told, told

PASSED = ("match", "passed", "the route's matchers agree")
HELD = ("wait", "held", "must last 30 s")
MISMATCH = ("match", "stopped", "no service matches db")
AGAIN = ("news", "held", "critical was told; a reminder is due later")
OLD = ("news", "stopped", "it ended before anyone was told")


def notice(*verdicts: tuple[str, str, str], said: str = "") -> Notice:
    keys = ("stage", "outcome", "reason")
    told = [dict(zip(keys, one, strict=True)) for one in verdicts]
    return Notice(route_name="empty", verdicts=told, said=said)


@pytest.mark.parametrize(
    ("notices", "expected"),
    [
        ([], Told(why=NO_ROUTE, is_loud=True)),
        ([notice(MISMATCH)], Told(why=NO_ROUTE, is_loud=True)),
        ([notice(PASSED, HELD)], Told(why="must last 30 s", is_waiting=True)),
        ([notice(MISMATCH), notice(PASSED, HELD)], Told(why="must last 30 s", is_waiting=True)),
        ([notice(PASSED, OLD), notice(PASSED, HELD)], Told(why="must last 30 s", is_waiting=True)),
        ([notice(PASSED, OLD)], Told(why="it ended before anyone was told")),
        ([notice(PASSED, said="critical")], Told(why="empty tells nobody", is_loud=True)),
        ([notice(PASSED, AGAIN, said="critical")], Told(why="empty tells nobody", is_loud=True)),
        (
            [notice(PASSED, AGAIN, said="critical"), notice(PASSED, HELD)],
            Told(why="must last 30 s", is_waiting=True),
        ),
        ([notice()], Told(why="nothing is decided yet", is_waiting=True)),
    ],
)
def test_why_nobody_was_told(notices: list[Notice], expected: Told) -> None:
    assert told(notices, [], is_open=True) == expected


def test_whoever_got_a_message_counts_more_than_what_is_decided_now() -> None:
    hook = Recipient("hook", "sent")
    assert told([notice(MISMATCH)], [hook], is_open=True) == Told((hook,))


def test_what_is_over_is_not_loud() -> None:
    assert told([], [], is_open=False) == Told(why=NO_ROUTE)

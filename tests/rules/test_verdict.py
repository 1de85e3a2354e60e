"""Whether enough instances pass."""

from __future__ import annotations

import pytest

from consulops.core.status import Status
from consulops.rules.verdict import NAMED, Counted, Measure, judge


def some(*states: str) -> list[Counted]:
    return [
        Counted(f"n{number}", f"web-{number}", Status(state), "HTTP")
        for number, state in enumerate(states, 1)
    ]


@pytest.mark.parametrize(
    ("measure", "states", "broken"),
    [
        (Measure(2, None), ["passing", "passing", "critical"], False),
        (Measure(2, None), ["passing", "critical", "critical"], True),
        (Measure(2, None), ["passing", "warning"], False),
        (Measure(2, None, warning_passes=False), ["passing", "warning"], True),
        (Measure(2, None), ["passing", "maintenance"], True),
        (Measure(2, None), ["passing", "unknown"], True),
        (Measure(None, 50), ["passing", "critical"], False),
        (Measure(None, 51), ["passing", "critical"], True),
        (Measure(None, 100), ["passing", "passing"], False),
        (Measure(None, 100), ["passing"] * 99 + ["critical"], True),
        (Measure(None, 33), ["passing", "critical", "critical"], False),
        (Measure(None, 34), ["passing", "critical", "critical"], True),
        (Measure(1, None), [], True),
        (Measure(None, 1), [], True),
    ],
)
def test_when_a_rule_is_broken(measure: Measure, states: list[str], broken: bool) -> None:
    assert judge(measure, some(*states)).broken is broken


def test_the_words_name_what_fails_worst_first() -> None:
    verdict = judge(Measure(3, None), some("passing", "maintenance", "critical", "unknown"))
    assert verdict.words == (
        "1 of 4 instances pass; at least 3 must: "
        "n3/web-3 critical (HTTP), n4/web-4 unknown (HTTP), n2/web-2 in maintenance"
    )


def test_the_words_without_anything_failing() -> None:
    assert judge(Measure(None, 50), some("passing")).words == (
        "1 of 1 instance passes; at least 50 % must."
    )


def test_the_words_without_any_instance() -> None:
    assert judge(Measure(1, None), []).words == "No instance is left; at least 1 must pass."


def test_a_long_list_is_cut() -> None:
    words = judge(Measure(1, None), some(*["critical"] * (NAMED + 5))).words
    assert words.count("critical") == NAMED
    assert words.endswith(", and 5 more")

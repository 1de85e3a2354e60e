"""Silences in words, and names as matchers that mean these names only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consulops.health.matching import Subject, compile_match
from consulops.silences import words
from consulops.silences.models import Silence

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHTS: list[dict[str, Any]] = [
    {"days": ["mon"], "begin": "22:00", "end": "02:00", "timezone": "UTC"}
]
NIGHT = NOW + 10 * HOUR

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(name=names, other=names)
def test_an_exact_matcher_means_its_name_and_is_read_as_it(name: str, other: str) -> None:
    match = words.exact(node=name, service="")
    subject = Subject("dc1", "web", name, "c", (), "critical")
    assert not compile_match(match).mismatch(subject)
    elsewhere = Subject("dc1", "web", other, "c", (), "critical")
    assert (not compile_match(match).mismatch(elsewhere)) == (name == other)
    assert [(one.name, one.value, one.is_exact) for one in words.terms(match)] == [
        ("node", name, True)
    ]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("web", "web"),
        (r"web\-1", "web-1"),
        ("web-1", "web-1"),
        (r"web\.1", "web.1"),
        ("web.1", None),
        ("web|db", None),
        (r"\d", None),
        (r"\w+\-1", None),
        ("", ""),
    ],
)
def test_what_an_expression_means(pattern: str, text: str | None) -> None:
    assert words.literal(pattern) == text


def test_terms_come_in_one_order() -> None:
    match = {
        "node_meta": {"rack": "r1"},
        "service_id": "web-.*",
        "cluster": "dc1",
        "status": ["warning", "critical"],
    }
    found = [(one.name, one.value, one.is_exact) for one in words.terms(match)]
    assert found == [
        ("status", "warning or critical", True),
        ("cluster", "dc1", True),
        ("service id", "web-.*", False),
        ("node meta rack", "r1", True),
    ]


def silence(start: datetime, end: datetime | None, windows: list[dict[str, Any]]) -> Silence:
    return Silence(starts_at=start, ends_at=end, windows=windows)


@pytest.mark.parametrize(
    ("one", "phase", "begins"),
    [
        (silence(NOW - HOUR, None, []), words.Phase.HOLDS, None),
        (silence(NOW, NOW + HOUR, []), words.Phase.HOLDS, None),
        (silence(NOW - HOUR, NOW, []), words.Phase.EXPIRED, None),
        (silence(NOW + HOUR, None, []), words.Phase.UPCOMING, None),
        (silence(NOW - HOUR, None, NIGHTS), words.Phase.BETWEEN, NIGHT),
        (silence(NOW - HOUR, NOW + HOUR, NIGHTS), words.Phase.BETWEEN, None),
        (silence(NIGHT + HOUR, None, NIGHTS), words.Phase.UPCOMING, NIGHT + HOUR),
    ],
)
def test_phases(one: Silence, phase: words.Phase, begins: datetime | None) -> None:
    assert words.phase(one, NOW) is phase
    assert words.next_begin(one, NOW) == begins


def test_inside_its_window_a_recurring_silence_holds() -> None:
    recurring = silence(NOW - HOUR, None, NIGHTS)
    assert words.phase(recurring, NIGHT) is words.Phase.HOLDS
    assert words.next_begin(recurring, NIGHT) is None
    assert list(words.in_words(recurring)) == ["Mon 22:00\N{EN DASH}02:00 (UTC)"]

"""Counts of checks in words."""

from __future__ import annotations

import pytest

from consulops.health.groups import in_words


@pytest.mark.parametrize(
    ("checks", "failing", "status", "words"),
    [
        (0, 0, "none", "No checks"),
        (6, 3, "critical", "3 of 6 checks failing"),
        (1, 1, "warning", "1 of 1 check failing"),
        (6, 0, "passing", "All 6 checks passing"),
        (1, 0, "passing", "The only check is passing"),
        (6, 0, "unknown", "None of 6 checks failing"),
        (1, 0, "maintenance", "Its check is not failing"),
    ],
)
def test_passing_is_said_of_what_passes_only(
    checks: int, failing: int, status: str, words: str
) -> None:
    assert in_words(checks, failing, status) == words

"""The sentence on a cluster: right in every state, and never green without a fresh answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consulops.clusters.verdict import LATE, Counts, servers, verdict
from consulops.core.status import LOOKS, Status

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


JUST_NOW = before(2)


@dataclass(frozen=True)
class Known:
    """What is known of a cluster of three healthy servers, unless said otherwise."""

    answered_at: datetime | None = JUST_NOW
    error: str = ""
    error_at: datetime | None = None
    probed_at: datetime | None = JUST_NOW
    leader: str = "10.0.0.1:8300"
    peers: list[str] = field(default_factory=lambda: ["a", "b", "c"])
    failure_tolerance: int | None = 1


HEALTHY = Known()
ALL_WELL = Counts(total=412, passing=412)


@pytest.mark.parametrize(
    ("state", "counts", "status", "sentence"),
    [
        (HEALTHY, ALL_WELL, "passing", "All 412 checks are passing. One more server may fail."),
        (
            HEALTHY,
            Counts(total=412, critical=3, warning=5, passing=404),
            "critical",
            "3 of 412 checks critical. One more server may fail.",
        ),
        (
            HEALTHY,
            Counts(total=2, warning=1, passing=1),
            "warning",
            "1 of 2 checks warning. One more server may fail.",
        ),
        (
            HEALTHY,
            Counts(total=1, maintenance=1),
            "maintenance",
            "1 of 1 check in maintenance. One more server may fail.",
        ),
        (
            HEALTHY,
            Counts(total=3, passing=2),
            "unknown",
            "1 of 3 checks unknown. One more server may fail.",
        ),
        (HEALTHY, Counts(), "none", "No checks are registered. One more server may fail."),
        (
            replace(HEALTHY, failure_tolerance=0),
            ALL_WELL,
            "warning",
            "All 412 checks are passing. No more server may fail.",
        ),
        (
            replace(HEALTHY, failure_tolerance=2),
            ALL_WELL,
            "passing",
            "All 412 checks are passing. Two more servers may fail.",
        ),
        (
            replace(HEALTHY, failure_tolerance=None),
            ALL_WELL,
            "passing",
            "All 412 checks are passing. At best one more server may fail.",
        ),
        (
            replace(HEALTHY, peers=["a"], failure_tolerance=0),
            ALL_WELL,
            "passing",
            "All 412 checks are passing. Its only server must not fail.",
        ),
        (
            replace(HEALTHY, leader=""),
            ALL_WELL,
            "critical",
            "No leader: nothing can be changed, and what it answers may be old. "
            "All 412 checks are passing.",
        ),
        (
            replace(HEALTHY, answered_at=before(180), error="Connection refused", error_at=NOW),
            ALL_WELL,
            "critical",
            "No answer for 3 min: Connection refused.",
        ),
        (
            replace(HEALTHY, answered_at=before(20), error="It timed out.", error_at=before(5)),
            ALL_WELL,
            "warning",
            "No answer for 20 s: It timed out. All 412 checks are passing.",
        ),
        (
            replace(HEALTHY, answered_at=before(20), error="It timed out.", error_at=before(5)),
            Counts(total=2, critical=2),
            "critical",
            "No answer for 20 s: It timed out. 2 of 2 checks critical.",
        ),
        (
            replace(HEALTHY, answered_at=before(180)),
            ALL_WELL,
            "unknown",
            "Not watched for 3 min: no worker asks this cluster. See the System page.",
        ),
        (
            replace(HEALTHY, answered_at=None, error="Wrong token.", error_at=NOW),
            Counts(),
            "critical",
            "No answer yet: Wrong token.",
        ),
        (
            replace(HEALTHY, answered_at=None),
            Counts(),
            "unknown",
            "Waiting for the first answer.",
        ),
    ],
)
def test_verdict(state: Known, counts: Counts, status: str, sentence: str) -> None:
    found = verdict(state, counts, NOW)
    assert (found.status, found.sentence) == (Status(status), sentence)


def test_a_cluster_that_is_switched_off_is_not_judged() -> None:
    found = verdict(replace(HEALTHY, leader=""), Counts(total=1, critical=1), NOW, enabled=False)
    assert found.status is Status.MAINTENANCE
    assert "switched off" in found.sentence


def test_an_old_probe_says_nothing_on_the_servers() -> None:
    old = replace(HEALTHY, probed_at=before(120), leader="", failure_tolerance=0)
    assert servers(old, NOW) == ""
    assert verdict(old, ALL_WELL, NOW).status is Status.PASSING


times = st.none() | st.floats(-5, 400).map(before)
numbers = st.integers(0, 5000)
states = st.builds(
    Known,
    answered_at=times,
    error=st.sampled_from(["", "refused", "No leader."]),
    error_at=times,
    probed_at=times,
    leader=st.sampled_from(["", "a"]),
    peers=st.lists(st.text(min_size=1, max_size=3), max_size=7),
    failure_tolerance=st.none() | st.integers(-1, 12),
)


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    parts = [draw(numbers) for _ in range(5)]
    return Counts(sum(parts) + draw(st.integers(0, 2)), *parts)


@settings(deadline=None)
@given(states, counts(), st.booleans())
def test_green_only_with_a_fresh_answer_and_nothing_but_passing_checks(
    state: Known, counts: Counts, enabled: bool
) -> None:
    found = verdict(state, counts, NOW, enabled=enabled)
    assert found.sentence.endswith(".")
    assert "  " not in found.sentence
    assert found.rank == LOOKS[found.status].rank
    if found.status is Status.PASSING:
        assert enabled
        assert state.answered_at is not None
        assert NOW - state.answered_at <= LATE
        assert counts.total == counts.passing > 0
        assert not (state.error and state.error_at and state.error_at >= state.answered_at)


@settings(deadline=None)
@given(states, counts())
def test_a_known_critical_check_is_never_hidden_by_less(state: Known, counts: Counts) -> None:
    """Unless we do not know any more, a failing check speaks first."""
    found = verdict(
        state, replace(counts, critical=counts.critical + 1, total=counts.total + 1), NOW
    )
    assert found.status in (Status.CRITICAL, Status.UNKNOWN)


@settings(deadline=None)
@given(states)
def test_the_servers_sentence_never_promises_more_than_the_peers(state: Known) -> None:
    said = servers(replace(state, failure_tolerance=None), NOW)
    assert said == "" or said.startswith(("At best", "Its only server"))

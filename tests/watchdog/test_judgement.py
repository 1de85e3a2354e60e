"""What the watchdog finds wrong: pure, so every case is a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consulops.core.status import Status
from consulops.watchdog.judgement import (
    LEADER,
    PATIENCE,
    TOLERANCE,
    UNREACHABLE,
    WATCHER,
    ClusterFacts,
    Finding,
    NotifierFacts,
    Patience,
    Terms,
    Watcher,
    judge_cluster,
    judge_notifier,
    judge_supervisor,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = Terms(timedelta(seconds=30), timedelta(seconds=60))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def well(**changes: Any) -> ClusterFacts:
    """A cluster of three servers with which all is well, but for these."""
    facts: dict[str, Any] = {
        "settled_at": ago(9999),
        "answered_at": ago(2),
        "probed_at": ago(5),
        "leader": "10.0.0.1:8300",
        "peers": 3,
        "failure_tolerance": 1,
        "watcher": Watcher(held=True, since=ago(300)),
    }
    return ClusterFacts(**{**facts, **changes})


def silent(**changes: Any) -> ClusterFacts:
    """One that has not answered for a while, neither the watcher nor the probe."""
    return well(**{"answered_at": ago(45), "probed_at": ago(50), "error": "Refused.", **changes})


def judged(facts: ClusterFacts, running_s: float = 9999) -> dict[str, str]:
    """The state of each check; "kept" for those that stay as they are."""
    found = judge_cluster(facts, TERMS, NOW, ago(running_s))
    return {one.check_id.partition(":")[2]: one.status or "kept" for one in found}


def text(facts: ClusterFacts, check_id: str) -> str:
    found = judge_cluster(facts, TERMS, NOW, ago(9999))
    return next(one.text for one in found if one.check_id == check_id)


def test_all_is_well() -> None:
    states = judged(well())
    assert states == dict.fromkeys(("unreachable", "leader", "tolerance", "watcher"), "passing")


def test_a_cluster_that_does_not_answer() -> None:
    facts = silent()
    assert judged(facts) == {
        "unreachable": "critical",
        "leader": "kept",
        "tolerance": "kept",
        "watcher": "kept",
    }
    assert text(facts, UNREACHABLE) == "No answer since 2026-03-01 11:59:15 UTC: Refused."


def test_a_cluster_that_has_never_answered() -> None:
    facts = silent(answered_at=None, probed_at=None)
    assert judged(facts)["unreachable"] == "critical"
    assert text(facts, UNREACHABLE) == "No answer yet: Refused."


@pytest.mark.parametrize(
    "facts",
    [
        silent(answered_at=ago(29)),
        silent(answered_at=ago(31), probed_at=ago(20)),
    ],
    ids=["not for long", "the probe answers"],
)
def test_a_cluster_that_counts_as_reachable(facts: ClusterFacts) -> None:
    assert judged(facts)["unreachable"] == "passing"


@pytest.mark.parametrize(
    "facts",
    [
        silent(watcher=Watcher(held=True, since=ago(10))),
        silent(settled_at=ago(10)),
        silent(watcher=None),
        silent(watcher=Watcher(held=False, since=ago(100))),
    ],
    ids=["just begun", "just changed", "nobody asks", "nobody asks any more"],
)
def test_silence_that_says_nothing_yet(facts: ClusterFacts) -> None:
    assert judged(facts)["unreachable"] == "kept"


def test_after_a_long_night_nothing_is_late_at_once() -> None:
    facts = silent(watcher=Watcher(held=False, since=ago(30000)), answered_at=ago(30000))
    assert set(judged(facts, running_s=3).values()) == {"kept"}


def test_an_alert_lasts_when_a_successor_takes_over() -> None:
    facts = silent(watcher=Watcher(held=True, since=ago(1)), before={UNREACHABLE: "critical"})
    assert judged(facts, running_s=1)["unreachable"] == "critical"


def test_no_leader() -> None:
    facts = well(leader="", answered_at=ago(100), failure_tolerance=None)
    assert judged(facts) == {
        "unreachable": "passing",
        "leader": "critical",
        "tolerance": "kept",
        "watcher": "kept",
    }


@pytest.mark.parametrize(
    ("peers", "tolerance", "state"),
    [(3, 0, "warning"), (3, 1, "passing"), (2, 0, "warning"), (1, 0, None), (3, None, None)],
)
def test_failure_tolerance(peers: int, tolerance: int | None, state: str | None) -> None:
    facts = well(peers=peers, failure_tolerance=tolerance)
    assert judged(facts).get("tolerance") == state


@pytest.mark.parametrize(
    ("facts", "state", "said"),
    [
        (well(watcher=None), "critical", "No worker"),
        (well(watcher=None, settled_at=ago(5)), "kept", ""),
        (well(watcher=Watcher(held=False, since=ago(31))), "critical", "No worker"),
        (well(watcher=Watcher(held=False, since=ago(5))), "kept", ""),
        (well(answered_at=ago(60)), "critical", "Consul answers, but"),
        (well(answered_at=ago(60), watcher=Watcher(held=True, since=ago(5))), "kept", ""),
        (well(watcher=Watcher(True, ago(20), "Trace\nKeyError: x\n", ago(20))), "warning", "Key"),
        (well(watcher=Watcher(True, ago(90), "Trace\nKeyError: x\n", ago(90))), "passing", ""),
    ],
)
def test_our_own_watcher(facts: ClusterFacts, state: str, said: str) -> None:
    assert judged(facts)["watcher"] == state
    assert said in text(facts, WATCHER)


def notifier(**facts: Any) -> Finding:
    return judge_notifier(NotifierFacts(7, "pager", **facts), TERMS, NOW, ago(9999))


def test_a_notifier_that_delivers() -> None:
    assert notifier(oldest=ago(50), error="HTTP 500").status == Status.PASSING


def test_a_notifier_that_refuses() -> None:
    found = notifier(error="HTTP 404", is_permanent=True)
    assert (found.check_id, found.status) == ("consulops:notifier:7", Status.CRITICAL)
    assert "HTTP 404" in found.text


def test_a_notifier_that_keeps_messages_waiting() -> None:
    found = notifier(error="HTTP 500", oldest=ago(61))
    assert found.status == Status.CRITICAL
    assert found.text == "Messages wait since 2026-03-01 11:58:59 UTC: HTTP 500"


def test_what_waited_overnight_is_given_time() -> None:
    facts = NotifierFacts(7, "pager", oldest=ago(30000))
    assert judge_notifier(facts, TERMS, NOW, ago(3)).status is None


def test_supervisor() -> None:
    assert judge_supervisor(lives=True).status == Status.PASSING
    assert judge_supervisor(lives=False).status == Status.CRITICAL


def test_patience_lets_an_election_pass() -> None:
    patience, bad = Patience(), Finding(LEADER, Status.CRITICAL, "No leader", patience=PATIENCE)
    good = Finding(LEADER, Status.PASSING)

    def ripe(finding: Finding, seconds: float, before: str = "passing") -> Status | None:
        at = NOW + timedelta(seconds=seconds)
        (found,) = patience.ripe(1, [finding], {LEADER: before}, at)
        return found.status

    assert ripe(bad, 0) is None
    assert ripe(bad, 9) is None
    assert ripe(good, 9.5) == Status.PASSING
    assert ripe(bad, 11) is None
    assert ripe(bad, 21) == Status.CRITICAL
    # What is said already stays said, also by a successor who has seen nothing.
    assert ripe(bad, 22, "critical") == Status.CRITICAL
    (other,) = Patience().ripe(1, [bad], {LEADER: "critical"}, NOW)
    assert other.status == Status.CRITICAL


def test_patience_knows_clusters_apart() -> None:
    patience, bad = Patience(), Finding(TOLERANCE, Status.WARNING, patience=PATIENCE)
    patience.ripe(1, [bad], {}, NOW)
    (found,) = patience.ripe(2, [bad], {}, NOW + PATIENCE)
    assert found.status is None

"""Comparing Consul's listings with what we know."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consulops.core.status import Status
from consulops.health.observation import MAX_OUTPUT, BadEntry, observe, short
from consulops.health.picture import Known, Picture


def entry(node: str = "n1", check: str = "web", index: int = 10, **more: Any) -> dict[str, Any]:
    return {"Node": node, "CheckID": check, "ModifyIndex": index, "Status": "passing", **more}


def known(status: str = "passing", index: int = 10) -> Picture:
    return Picture({("n1", "web"): Known(index, status)})


def test_what_is_new_or_newer_is_news() -> None:
    listing = [entry(), entry(check="api"), entry(index=11, Status="critical")]
    assert [(one.check_id, one.status) for one in known().news(listing)] == [
        ("api", Status.PASSING),
        ("web", Status.CRITICAL),
    ]


def test_an_older_answer_changes_nothing() -> None:
    assert known(index=20).news([entry(index=19, Status="critical")]) == []


def test_after_a_restore_every_difference_counts() -> None:
    older = entry(index=3, Status="critical")
    assert [one.status for one in known().news([older], in_order=False)] == [Status.CRITICAL]
    assert known().news([entry()], in_order=False) == []


def test_a_late_answer_does_not_revive_what_is_gone() -> None:
    picture = known()
    picture.forget([("n1", "web")])
    assert picture.news([entry(index=10)]) == []
    assert len(picture) == 0
    assert [one.modify_index for one in picture.news([entry(index=30)])] == [30]


def test_absent_is_what_a_whole_listing_lacks() -> None:
    picture = Picture({("n1", "web"): Known(1, "passing"), ("n1", "old"): Known(1, "gone")})
    assert picture.absent([entry(check="api")]) == {("n1", "web")}


def test_left_is_what_a_listing_of_one_state_lacks() -> None:
    picture = Picture({("n1", "web"): Known(1, "critical"), ("n1", "api"): Known(1, "warning")})
    assert picture.left(Status.CRITICAL, []) == {("n1", "web")}
    picture.learn([observe(entry(index=2))])
    assert picture.left(Status.CRITICAL, []) == set()


@pytest.mark.parametrize(
    "bad",
    [{}, {"Node": "n1"}, {"Node": 3, "CheckID": "a"}, {"Node": "n", "CheckID": "c"}],
)
def test_an_entry_that_is_no_check_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadEntry):
        Picture({}).news([bad])


def test_maintenance_is_not_a_failure() -> None:
    node = entry(check="_node_maintenance", Status="critical")
    service = entry(check="_service_maintenance:web-1", Status="critical")
    assert observe(node).status is observe(service).status is Status.MAINTENANCE


def test_a_status_that_nobody_knows_is_never_green() -> None:
    assert observe(entry(Status="splendid")).status is Status.UNKNOWN
    assert observe({**entry(), "Status": None}).status is Status.UNKNOWN


def test_outputs_fit_the_database() -> None:
    seen = observe(entry(Output="a\x00b" + "x" * (50 << 20), ServiceTags=None, Notes=7))
    assert "\x00" not in seen.output
    assert len(seen.output) < MAX_OUTPUT + 100
    assert "52,428,803 characters" in seen.output
    assert (seen.tags, seen.notes) == ((), "")


@given(st.text(max_size=3000))
def test_names_fit_an_index_and_stay_apart(name: str) -> None:
    assert len(short(name).encode()) <= 400
    assert "\x00" not in short(name)
    assert short(name + "a" * 400) != short(name + "b" * 400)


def test_an_honest_name_is_left_alone() -> None:
    odd = 'größe/"a"\'<script>alert(1)</script>'
    assert short(odd) == odd

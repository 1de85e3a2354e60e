"""The routes of an import agree with consul-alerts' own two lookups, whatever is configured."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consulops.api.consul_alerts import routing
from consulops.api.consul_alerts.findings import Weight
from consulops.api.consul_alerts.planning import Plan, plan
from consulops.health.matching import LONGEST_PATTERN, Subject, compile_match
from tests.consul_alerts.reference import Reference, Seen, Verdict

# Few names, so that they meet; some with characters that a pattern gives a meaning.
NODES = ["n1", "n2", "n.1"]
SERVICES = ["web", "web-1", "db(a)", "_x"]
CHECKS = ["http", "service:web", "a/b"]
PROFILES = ["ops", "quiet", "absent", "default"]
REGEXES = ["web", "^web$", "n.1", "1$", "", ".*", "(?i)WEB", "a|b", "x+", "^n"]
NOTIFIERS = ["slack", "log", "pagerduty"]
SETTINGS = {
    "notifiers/slack/enabled": b"true",
    "notifiers/slack/url": b"https://hooks.example.com/x",
    "notifiers/pagerduty/enabled": b"false",
    "notifiers/pagerduty/service-key": b"k" * 32,
}
ENABLED = frozenset({"slack", "log"})

profile = st.builds(
    lambda interval, told: json.dumps({"Interval": interval, "NotifList": told}).encode(),
    st.sampled_from([0, 5, 30]),
    st.dictionaries(st.sampled_from(NOTIFIERS), st.booleans()),
)
seconds = st.sampled_from([b"0", b"10", b"30", b"60"])
name_of = {
    "services": st.sampled_from(SERVICES),
    "checks": st.sampled_from(CHECKS),
    "hosts": st.sampled_from(NODES),
    "status": st.sampled_from(["critical", "warning", "passing"]),
}
seen_check = st.builds(
    Seen,
    st.sampled_from(NODES),
    st.sampled_from(["", *SERVICES]),
    st.sampled_from(CHECKS),
    st.sampled_from(["critical", "warning"]),
)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes]:
    """A configuration with profiles, selections of every sort, and thresholds of every sort."""
    keys = dict(SETTINGS)
    for name in draw(st.lists(st.sampled_from(["ops", "quiet", "default"]), unique=True)):
        keys[f"notif-profiles/{name}"] = draw(profile)
    for level, names in name_of.items():
        for name in draw(st.lists(names, max_size=2, unique=True)):
            chosen = draw(st.sampled_from(PROFILES))
            keys[f"notif-selection/{level}/{name}"] = chosen.encode()
        chosen_by = st.dictionaries(st.sampled_from(REGEXES), st.sampled_from(PROFILES), max_size=2)
        if regexes := draw(chosen_by):
            keys[f"notif-selection/{level}"] = json.dumps(regexes).encode()
    draw_thresholds(draw, keys)
    return keys


def draw_thresholds(draw: st.DrawFn, keys: dict[str, bytes]) -> None:
    if draw(st.booleans()):
        keys["checks/change-threshold"] = draw(seconds)
    for sort, names in (("check", CHECKS), ("service", SERVICES), ("node", NODES)):
        for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
            keys[f"checks/{sort}/{name}/change-threshold"] = draw(seconds)
    for one in draw(st.lists(seen_check, max_size=2)):
        place = f"{one.node}/{one.service or '_'}/{one.check}"
        keys[f"checks/single/{place}/change-threshold"] = draw(seconds)


def subject(seen: Seen, cluster: str = "dc1") -> Subject:
    return Subject(
        cluster=cluster,
        service="never looked at",
        service_id=seen.service,
        node=seen.node,
        check=seen.check,
        tags=(),
        status=seen.status,
    )


def ours(made: Plan, seen: Seen) -> Verdict:
    """What the planned routes do: the first that matches wins."""
    called = {one.name: one for one in made.notifiers}
    for route in made.routes.values():
        if not compile_match(route.match).mismatch(subject(seen)):
            told = {name.split()[2] for name in route.notifiers if called[name].enabled}
            return Verdict(frozenset(told), route.wait_s, route.remind_every_s // 60)
    raise AssertionError("no route means the check")


@settings(max_examples=200, deadline=None)
@given(keys=trees(), seen=st.lists(seen_check, min_size=1, max_size=6))
def test_who_is_told_after_how_long_and_how_often_again(
    keys: dict[str, bytes], seen: list[Seen]
) -> None:
    made, theirs = plan(keys, "dc1"), Reference(keys, ENABLED)
    for one in seen:
        wanted, found = theirs.verdict(one), ours(made, one)
        assert found.told == wanted.told
        if found.told:
            # Where nobody is told, nobody waits.
            assert found == wanted


@st.composite
def blacklists(draw: st.DrawFn) -> dict[str, bytes]:
    keys = {}
    for sort, level in (
        ("services", "services"),
        ("checks", "checks"),
        ("nodes", "hosts"),
        ("status", "status"),
    ):
        for name in draw(st.lists(name_of[level], max_size=1)):
            keys[f"checks/blacklist/{sort}/{name}"] = b""
        if regexes := draw(st.lists(st.sampled_from(REGEXES), max_size=1)):
            keys[f"checks/blacklist/{sort}"] = json.dumps(regexes).encode()
    for one in draw(st.lists(seen_check, max_size=1)):
        keys[f"checks/blacklist/single/{one.node}/{one.service or '_'}/{one.check}"] = b"x"
    return keys


@settings(max_examples=100, deadline=None)
@given(keys=blacklists(), seen=st.lists(seen_check, min_size=1, max_size=6))
def test_the_blacklist_is_silent_here_too(keys: dict[str, bytes], seen: list[Seen]) -> None:
    made, theirs = plan(keys, "dc1"), Reference(keys, ENABLED)
    for one in seen:
        silent = any(
            not compile_match(silence.match).mismatch(subject(one)) for silence in made.silences
        )
        assert silent == theirs.is_blacklisted(one)


def test_other_clusters_are_not_meant() -> None:
    made = plan({"checks/blacklist/nodes/n1": b""}, "dc.1")
    other = subject(Seen("n1", "web", "http", "critical"), "dcx1")
    for match in [*(one.match for one in made.routes.values()), made.silences[0].match]:
        assert compile_match(match).mismatch(other)


@pytest.mark.parametrize(
    ("keys", "notify"),
    [
        ({}, True),
        ({"notif-selection/status/passing": b"nobody"}, False),
        ({"notif-selection/status": b'{"pass": "nobody"}'}, False),
        ({"checks/blacklist/status/passing": b""}, False),
        ({"checks/blacklist/status": b'["ing$"]'}, False),
        ({"notif-selection/status/passing": b"log_only"}, True),
    ],
)
def test_recoveries_can_be_switched_off(keys: dict[str, bytes], notify: bool) -> None:
    profiles: dict[str, Any] = {
        "notif-profiles/nobody": b'{"NotifList": {"slack": false}}',
        "notif-profiles/log_only": b'{"NotifList": {"log": true}}',
    }
    made = plan({**SETTINGS, **profiles, **keys}, "dc1")
    assert [one.notify_resolved for one in made.routes.values()] == [notify]


def test_recoveries_to_others_are_told_of() -> None:
    keys = {
        "notif-profiles/log_only": b'{"NotifList": {"log": true}}',
        "notif-selection/status/passing": b"log_only",
    }
    (found,) = [
        one
        for one in plan({**SETTINGS, **keys}, "dc1").findings
        if one.key == "notif-selection/status (log_only)"
    ]
    assert found.weight is Weight.CHANGED


def test_many_names_are_few_routes() -> None:
    keys = {f"notif-selection/services/web-{number}": b"ops" for number in range(400)}
    keys["notif-profiles/ops"] = b'{"NotifList": {"log": true}}'
    made = plan(keys, "dc1")
    assert len(made.routes) < 10
    assert all(
        len(str(one.match.get("service_id", ""))) <= LONGEST_PATTERN for one in made.routes.values()
    )
    assert ours(made, Seen("n1", "web-399", "http", "critical")).told == {"log"}


def test_too_many_routes_keep_whom_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MOST_ROUTES", 5)
    keys = {f"checks/check/c{number}/change-threshold": b"%d" % number for number in range(9)}
    made = plan(keys, "dc1")
    assert [one.wait_s for one in made.routes.values()] == [60]
    told = {one.key for one in made.findings if one.weight is Weight.CHANGED}
    assert keys.keys() <= told

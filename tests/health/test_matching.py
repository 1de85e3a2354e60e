"""What a route's matchers mean, and how a bad one is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consulops.health.matching import BadMatch, Subject, compile_match

WEB = Subject("dc1", "web", "n1", "web-1", ("http", "blue"), "critical")


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"service": "web"},
        {"service": "w.*", "node": "n[0-9]"},
        {"cluster": "dc1|dc2"},
        {"tag": "blue"},
        {"status": ["critical", "warning"]},
        {"check": "web-.", "tag": ".*", "cluster": ".*"},
    ],
)
def test_matches(match: dict[str, object]) -> None:
    assert compile_match(match).mismatch(WEB) == ""


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        ({"service": "we"}, "service"),
        ({"service": "eb"}, "service"),
        ({"tag": "green"}, "tag"),
        ({"status": ["warning"]}, "critical"),
        ({"cluster": "dc1", "node": "n2"}, "node"),
    ],
)
def test_a_mismatch_says_why(match: dict[str, object], reason: str) -> None:
    assert reason in compile_match(match).mismatch(WEB)


def test_an_output_of_several_lines_is_matched_as_a_whole() -> None:
    subject = replace(WEB, output="first\ncannot connect\nlast")
    assert compile_match({"output": ".*cannot.*"}).mismatch(subject) == ""
    assert compile_match({"output": "cannot.*"}).mismatch(subject)


def test_any_tag_includes_none() -> None:
    plain = Subject("dc1", "", "n1", "serfHealth", (), "critical")
    assert compile_match({"tag": ".*", "service": ".*"}).mismatch(plain) == ""
    assert compile_match({"tag": ".+"}).mismatch(plain)


@pytest.mark.parametrize(
    ("match", "path"),
    [
        ({"service": "("}, "service"),
        ({"colour": "red"}, "colour"),
        ({"node": 3}, "node"),
        ({"status": "critical"}, "status"),
        ({"status": ["critical", "passing"]}, "status[1]"),
        ({"status": [["critical"]]}, "status[0]"),
    ],
)
def test_a_bad_matcher_is_named(match: dict[str, object], path: str) -> None:
    with pytest.raises(BadMatch) as caught:
        compile_match(match)
    assert caught.value.path == path
    assert caught.value.text

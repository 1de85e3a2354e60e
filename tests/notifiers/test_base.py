"""The message: its words for people, and its way into JSON and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from consulops.notifiers.answers import classify, excerpt, retry_after, retry_after_in
from consulops.notifiers.base import Message
from tests.notifiers.harness import facts, message

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_message_survives_the_way_through_json() -> None:
    original = message(facts(), facts(id=13, tags=[]))
    assert Message.from_dict(original.to_dict()) == original


def test_time_is_told_in_utc_with_milliseconds() -> None:
    local = datetime(2026, 1, 1, 2, 0, 0, 5_999, tzinfo=timezone(timedelta(hours=2)))
    assert facts(since=local).to_dict()["since"] == "2026-01-01T00:00:00.005Z"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "CRITICAL web on n1: HTTP"),
        ({"status": "warning"}, "WARNING web on n1: HTTP"),
        ({"status": "passing"}, "RESOLVED web on n1: HTTP"),
        ({"status": "gone"}, "GONE web on n1: HTTP"),
        ({"status": ""}, "UNKNOWN web on n1: HTTP"),
        ({"service": ""}, "CRITICAL n1: HTTP"),
        ({"name": ""}, "CRITICAL web on n1: web-1-http"),
        ({"node": ""}, "CRITICAL web: HTTP"),
        ({"node": "", "service": ""}, "CRITICAL HTTP"),
    ],
)
def test_title_of_an_alert(changes: dict[str, str], title: str) -> None:
    assert message(facts(**changes)).title() == title


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("opened", "CRITICAL web on n1: HTTP"),
        ("changed", "CRITICAL web on n1: HTTP"),
        ("reminder", "Still CRITICAL web on n1: HTTP"),
        ("flapping", "Flapping: CRITICAL web on n1: HTTP"),
        ("escalated", "Not acknowledged: CRITICAL web on n1: HTTP"),
        ("test", "Test: CRITICAL web on n1: HTTP"),
    ],
)
def test_title_says_why_the_message_comes(reason: str, title: str) -> None:
    assert message(reason=reason).title() == title


def test_several_alerts_are_counted_worst_first() -> None:
    several = message(facts(status="passing"), facts(status="warning"), facts(), facts())
    assert several.title() == "4 alerts in dc1"
    assert several.counts() == "2 critical, 1 warning, 1 resolved"
    assert [one.status for one in several.worst_first()] == [
        "critical",
        "critical",
        "warning",
        "passing",
    ]


def test_resolved_are_the_recovered_and_the_gone() -> None:
    states = ("critical", "passing", "gone", "warning", "")
    assert [one for one in states if facts(status=one).is_resolved] == ["passing", "gone"]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_good(status: int) -> None:
    assert classify(status, {}, "") is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_what_may_pass_is_temporary(status: int) -> None:
    error = classify(status, {"Retry-After": "7"}, "oh")
    assert error
    assert not error.permanent
    assert error.retry_after_s == 7
    assert error.text.startswith(f"HTTP {status}")
    assert error.text.endswith(": oh")


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 400, 401, 403, 404, 410, 413, 422])
def test_what_stays_wrong_is_permanent(status: int) -> None:
    error = classify(status, {"Retry-After": "7", "Location": "http://secret/"}, "")
    assert error
    assert error.permanent
    assert error.retry_after_s is None
    assert "secret" not in error.text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        ("Thu, 01 Jan 2026 00:01:00", 60),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("9" * 400, 86400),
        ("Thu, 01 Jan 2099 00:00:00 GMT", 86400),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Thu, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ('{"retry_after": 1.25, "global": false}', 1.25),
        ('{"ok": false, "parameters": {"retry_after": 35}}', 35),
        ('{"retry_after": 1e9}', 86400),
        ('{"retry_after": -1}', None),
        ('{"retry_after": true}', None),
        ('{"retry_after": "soon"}', None),
        ('{"retry_after": NaN}', None),
        ('{"parameters": 5}', None),
        ("[5]", None),
        ("slow down", None),
    ],
)
def test_retry_after_in_an_answer(body: str, seconds: float | None) -> None:
    assert retry_after_in(body) == seconds


def test_the_header_says_when_to_come_back_before_the_answer_does() -> None:
    body = '{"retry_after": 35}'
    said = [classify(429, headers, body) for headers in ({"Retry-After": "7"}, {})]
    assert [error and error.retry_after_s for error in said] == [7, 35]


def test_excerpt_is_one_short_clean_line() -> None:
    assert excerpt(" a\x00\r\n b\u2028\x1b[1m\ud800c ") == "a b [1m c"
    assert excerpt("x" * 500, 10) == "x" * 9 + "…"

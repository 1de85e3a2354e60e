"""The silences that the pipeline asks for: those that hold at a moment, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.audit import Actor
from consulops.health.matching import Subject
from consulops.silences.standing import standing
from tests.silences.things import HOUR, make_silence, put_in_time

pytestmark = pytest.mark.django_db

NIGHTS = [{"days": ["mon"], "begin": "22:00", "end": "02:00", "timezone": "Europe/Berlin"}]
# 22:00 and 02:00 in Berlin.
BEGIN, END = datetime(2026, 11, 23, 21, tzinfo=UTC), datetime(2026, 11, 24, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def test_what_holds_with_its_words_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    now = timezone.now()
    make_silence(starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    put_in_time(make_silence(), starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    endless = make_silence(ends_at=None, match={"node": "db-.*"})
    silence = make_silence(Actor.named("ada"), comment="moving\nthe  rack " + "x" * 200)
    with django_assert_num_queries(1):
        first, second = standing(timezone.now())
    assert (first.pk, first.until) == (endless.pk, None)
    assert (second.pk, second.until) == (silence.pk, silence.ends_at)
    assert second.text.startswith(f"silence #{silence.pk} by ada: moving the rack xxx")
    assert len(second.text) < 160
    subject = Subject("dc1", "web", "db-1", "serfHealth", (), "critical")
    assert not first.match.mismatch(subject)
    assert not second.match.mismatch(subject)


def test_it_holds_from_its_start_to_just_before_its_end() -> None:
    silence = make_silence(starts_at=timezone.now() + HOUR, ends_at=timezone.now() + 2 * HOUR)
    assert silence.ends_at is not None
    held = {
        moment: bool(standing(moment))
        for moment in (silence.starts_at - INSTANT, silence.starts_at, silence.ends_at)
    }
    assert list(held.values()) == [False, True, False]
    assert standing(silence.ends_at - INSTANT)


@pytest.mark.parametrize(
    ("now", "until"),
    [(BEGIN - INSTANT, None), (BEGIN, END), (END - INSTANT, END), (END, None)],
)
def test_a_recurring_one_holds_in_its_windows(now: datetime, until: datetime | None) -> None:
    silence = make_silence(windows=NIGHTS, ends_at=None)
    put_in_time(silence, starts_at=BEGIN - timedelta(days=30))
    assert [one.until for one in standing(now)] == ([until] if until else [])


def test_the_end_of_all_comes_before_the_end_of_the_window() -> None:
    silence = make_silence(windows=NIGHTS)
    put_in_time(silence, starts_at=BEGIN - timedelta(days=30), ends_at=BEGIN + HOUR)
    (one,) = standing(BEGIN)
    assert one.until == BEGIN + HOUR

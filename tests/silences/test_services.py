"""What may be silenced by whom, and that every change is recorded and heard of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry, User
from consulops.health.matching import compile_match
from consulops.silences import services
from consulops.silences.guards import BadSilence, means_everything
from consulops.silences.models import Silence
from consulops.silences.signals import silences_changed
from tests.silences.things import HOUR, TEST, make_silence, put_in_time, wanted

pytestmark = pytest.mark.django_db

WINDOW = {"days": ["mon"], "begin": "22:00", "end": "02:00", "timezone": "Europe/Berlin"}


@pytest.fixture
def heard() -> Iterator[list[bool]]:
    """For each signal, whether it came inside a transaction of the service's own."""
    found: list[bool] = []

    def hear(**_: Any) -> None:
        # Tests run in a transaction: the service's own is a savepoint in it.
        found.append(len(connection.savepoint_ids) > 0)

    silences_changed.connect(hear)
    yield found
    silences_changed.disconnect(hear)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_each_change_is_recorded_and_heard_of_inside_its_transaction(
    operator: User, heard: list[bool]
) -> None:
    actor = Actor(operator, "otto")
    silence = make_silence(actor, match={"service": "web"}, comment=" migration ")
    assert (silence.author, silence.author_name, silence.comment) == (operator, "otto", "migration")
    end = silence.ends_at
    assert end is not None
    asked = wanted(starts_at=silence.starts_at, ends_at=end, windows=[WINDOW])
    assert services.change(actor, silence, asked) == ["windows"]
    assert services.extend(actor, silence, HOUR).ends_at == end + HOUR
    assert services.expire(actor, silence)
    assert actions() == [f"silence.{it}" for it in ("created", "updated", "extended", "expired")]
    assert heard == [True] * 4
    detail = AuditEntry.objects.get(action="silence.updated").detail
    assert detail["changed"]["windows"] == {"from": [], "to": [WINDOW]}


def test_what_changes_nothing_is_not_recorded(heard: list[bool]) -> None:
    silence = make_silence()
    same = wanted(starts_at=silence.starts_at, ends_at=silence.ends_at)
    assert services.change(TEST, silence, same) == []
    assert (actions(), len(heard)) == (["silence.created"], 1)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"comment": " \n"}, "comment"),
        ({"comment": "x" * 2001}, "comment"),
        ({"match": {}}, "match"),
        ({"match": {"service": ".*", "tag": ".*"}}, "match"),
        ({"match": {"service": ".+"}}, "match"),
        ({"match": {"node": "[a-zA-Z0-9._-]+"}}, "match"),
        ({"match": {"status": ["critical"]}}, "match"),
        ({"match": {"service": "("}}, "match.service"),
        ({"match": {"service_meta": {"team": "("}}}, "match.service_meta.team"),
        ({"match": {"colour": "red"}}, "match.colour"),
        ({"windows": [WINDOW, {**WINDOW, "timezone": "Mars"}]}, "windows[1].timezone"),
        ({"ends_at": timezone.now() - timedelta(seconds=1)}, "ends_at"),
        ({"starts_at": timezone.now() + 3 * HOUR}, "ends_at"),
        ({"ends_at": timezone.now() + timedelta(days=367)}, "ends_at"),
    ],
)
def test_what_is_refused(values: dict[str, Any], path: str) -> None:
    silence = make_silence()
    for act in (make_silence, lambda **it: services.change(TEST, silence, wanted(**it))):
        with pytest.raises(BadSilence) as refused:
            act(**values)
        assert [problem[0] for problem in refused.value.problems] == [path]
    assert actions() == ["silence.created"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(BadSilence) as refused:
        make_silence(match={}, comment="", windows=[{}], ends_at=timezone.now() - HOUR)
    paths = [path for path, _ in refused.value.problems]
    assert paths == ["match", "ends_at", "windows[0].days", "comment"]


def test_everything_may_be_silenced_by_who_says_so() -> None:
    assert make_silence(match={}, everything=True).match == {}


@pytest.mark.parametrize("match", [{"service": "web.*"}, {"node": ".*[0-9]"}, {"cluster": "dc1"}])
def test_a_name_is_not_everything(match: dict[str, str]) -> None:
    assert not means_everything(compile_match(match))


def test_only_admins_silence_without_end(operator: User, admin: User) -> None:
    with pytest.raises(BadSilence, match="only an admin"):
        make_silence(Actor(operator, "otto"), ends_at=None)
    endless = make_silence(Actor(admin, "ada"), ends_at=None)
    assert list(Silence.objects.without_end()) == [endless]
    # Nor may others change what it means.
    with pytest.raises(BadSilence, match="only an admin"):
        services.change(Actor(operator, "otto"), endless, wanted(ends_at=None))
    with pytest.raises(BadSilence, match="it has no end"):
        services.extend(Actor(admin, "ada"), endless, HOUR)
    assert services.expire(Actor(operator, "otto"), endless)


def test_what_has_not_begun_can_be_called_off() -> None:
    start = timezone.now() + HOUR
    silence = make_silence(starts_at=start, ends_at=start + HOUR)
    assert services.expire(TEST, silence)
    silence.refresh_from_db()
    assert silence.starts_at == silence.ends_at
    assert list(Silence.objects.expired(timezone.now())) == [silence]
    assert not services.expire(TEST, silence)
    assert actions() == ["silence.created", "silence.expired"]


def test_what_is_over_is_not_extended() -> None:
    now = timezone.now()
    silence = put_in_time(make_silence(), starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    with pytest.raises(BadSilence, match="it is over"):
        services.extend(TEST, silence, 4 * HOUR)
    with pytest.raises(BadSilence, match="longer than a year"):
        services.extend(TEST, make_silence(), timedelta(days=366))


def test_the_states_share_all_silences_out() -> None:
    now = timezone.now()
    active = make_silence()
    upcoming = make_silence(starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    over = put_in_time(make_silence(), starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    later = timezone.now()
    assert list(Silence.objects.active(later)) == [active]
    assert list(Silence.objects.upcoming(later)) == [upcoming]
    assert list(Silence.objects.expired(later)) == [over]
    assert Silence.objects.counts(later) == {"active": 1, "upcoming": 1, "expired": 1, "all": 3}


def test_only_what_ended_long_ago_is_forgotten() -> None:
    now = timezone.now()
    old = now - timedelta(days=401)
    put_in_time(make_silence(), starts_at=old - HOUR, ends_at=old)
    recent = put_in_time(make_silence(), starts_at=old, ends_at=now - timedelta(days=399))
    endless = put_in_time(make_silence(ends_at=None), starts_at=old)
    assert services.prune(now) == 1
    assert set(Silence.objects.all()) == {recent, endless}

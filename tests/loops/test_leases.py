"""Leases in the database: one owner at a time, epochs that grow, and the fence."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from consulops.loops import leases
from consulops.loops.bells import Bells
from consulops.loops.context import Context, LeaseLost
from consulops.loops.database import DatabaseThread
from consulops.loops.models import Lease, Supervisor
from consulops.loops.supervisor import Pace, pause_s

Link = psycopg.Connection[tuple[Any, ...]]

KEYS = ["a:1", "a:2", "a:3"]
ANN = leases.Identity("host:1:family1-x", "host", 1, "family1")
BOB = leases.Identity("host:2:family2-x", "host", 2, "family2")


def beat(me: leases.Identity, held: dict[str, int] | None = None) -> leases.Beat:
    return leases.beat(me, held or {}, KEYS, 1000)


def lapse(*keys: str) -> None:
    Lease.objects.filter(key__in=keys or KEYS).update(expires_at="2001-01-01T00:00:00Z")


def context(me: leases.Identity, key: str, epoch: int) -> Context:
    return Context(key, me.owner, epoch, DatabaseThread(), Bells())


@pytest.mark.parametrize(
    ("loops", "supervisors", "share"), [(0, 1, 0), (4, 2, 2), (5, 2, 3), (1, 3, 1), (3, 0, 3)]
)
def test_shares_are_even_and_leave_no_loop_over(loops: int, supervisors: int, share: int) -> None:
    assert leases.fair_share(loops, supervisors) == share
    assert share * max(supervisors, 1) >= loops


def test_gives_up_what_is_not_wanted_and_what_is_above_its_share() -> None:
    assert leases.to_give_up({"x", "a", "b", "c"}, {"a", "b", "c", "d"}, 2) == ["x", "c"]
    assert leases.to_give_up({"a"}, {"a"}, 1) == []


def test_pauses_grow_and_end_growing() -> None:
    pace = Pace()
    for crashes, longest in [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (10_000, 30.0)]:
        assert longest / 2 <= pause_s(crashes, pace) <= longest


@pytest.mark.django_db
def test_the_first_takes_all_and_the_second_nothing_that_is_held() -> None:
    assert beat(ANN).held == {"a:1": 1, "a:2": 1, "a:3": 1}
    assert beat(BOB).held == {}


@pytest.mark.django_db
def test_makes_room_for_a_second_supervisor() -> None:
    held = beat(ANN).held
    beat(BOB)
    again = beat(ANN, held)
    assert again.surplus == ["a:3"]
    leases.free(ANN, again.surplus)
    assert beat(BOB).held == {"a:3": 2}


@pytest.mark.django_db
def test_lapsed_lease_goes_to_another_under_a_new_epoch() -> None:
    held = beat(ANN).held
    Supervisor.objects.update(beat_at="2001-01-01T00:00:00Z")
    lapse()
    assert beat(BOB).held == dict.fromkeys(KEYS, 2)
    assert beat(ANN, held).held == {}


@pytest.mark.django_db
def test_look_again_when_the_first_lease_of_another_lapses() -> None:
    beat(ANN)
    wait_s = beat(BOB).next_lapse_s
    assert wait_s is not None
    assert 0 < wait_s <= leases.LIFE_S


@pytest.mark.django_db
def test_leaving_frees_everything() -> None:
    beat(ANN)
    leases.leave(ANN)
    assert not Supervisor.objects.exists()
    assert beat(BOB).held == dict.fromkeys(KEYS, 2)


@pytest.mark.django_db
def test_heir_takes_over_from_its_own_family_only() -> None:
    beat(ANN)
    child = leases.Identity("host:3:family1-y", "host", 3, "family1")
    stranger = leases.Identity("host:4:family2-y", "host", 4, "family2")
    leases.inherit(stranger)
    assert beat(stranger).held == {}
    leases.inherit(child)
    assert not Supervisor.objects.filter(owner=ANN.owner).exists()
    leases.leave(stranger)
    assert beat(child).held == dict.fromkeys(KEYS, 2)


@pytest.mark.django_db
def test_fence_holds_for_the_owner_and_its_epoch_alone() -> None:
    beat(ANN)
    context(ANN, "a:1", 1).fence()
    for other in [context(BOB, "a:1", 1), context(ANN, "a:1", 2), context(ANN, "a:9", 1)]:
        with pytest.raises(LeaseLost):
            other.fence()
    lapse("a:1")
    with pytest.raises(LeaseLost):
        context(ANN, "a:1", 1).fence()


@pytest.mark.django_db(transaction=True)
def test_fence_is_one_query(django_assert_num_queries: Any) -> None:
    beat(ANN)
    with transaction.atomic(), django_assert_num_queries(1):
        context(ANN, "a:1", 1).fence()


def test_writer_that_is_paused_behind_the_fence_keeps_its_lease_and_blocks_nobody(
    link: Link,
) -> None:
    """The row lock of the fence: a successor passes it over, and takes the others."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    beat(ANN)
    with psycopg.connect(link.info.dsn, autocommit=True) as writer, writer.transaction():
        link.execute("UPDATE loops_lease SET expires_at = '2001-01-01'")
        writer.execute("SELECT 1 FROM loops_lease WHERE key = 'a:1' FOR SHARE")
        Supervisor.objects.update(beat_at="2001-01-01T00:00:00Z")
        assert set(beat(BOB).held) == {"a:2", "a:3"}
    assert set(beat(BOB, {"a:2": 2, "a:3": 2}).held) == set(KEYS)


@pytest.mark.django_db
def test_crash_is_noted_by_the_owner_only() -> None:
    beat(ANN)
    leases.record_crash(BOB, "a:1", "not mine")
    leases.record_crash(ANN, "a:1", "broke")
    lease = Lease.objects.get(key="a:1")
    assert (lease.restarts, lease.error) == (1, "broke")

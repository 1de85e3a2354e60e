"""Pages by key: every row once, in order, while rows come and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consulops.accounts.models import AuditEntry, User
from consulops.core.paging import page

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def names(order: tuple[str, ...], size: int) -> list[list[str]]:
    """The user names of each page, read one after another."""
    pages, after = [], ""
    for _ in range(User.objects.count() + 1):
        found = page(User.objects.all(), order, after, size)
        assert found.is_first == (after == "")
        pages.append([user.username for user in found.rows])
        after = found.following
        if not after:
            break
    return pages


@pytest.fixture
def people(db: None) -> None:
    """Seven people; some share a role and a day, and no column orders them as another does."""
    User.objects.bulk_create(
        User(
            username=f"u{number}",
            role=["viewer", "operator"][number % 2],
            date_joined=NOW + timedelta(days=number * 5 % 7 // 2, microseconds=1),
        )
        for number in range(7)
    )


@pytest.mark.parametrize("order", [("-pk",), ("role", "-date_joined", "-id"), ("-role", "id")])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_are_the_ordered_rows_cut(people: None, order: tuple[str, ...], size: int) -> None:
    order = tuple(column.replace("pk", "id") for column in order)
    whole = list(User.objects.order_by(*order).values_list("username", flat=True))
    assert names(order, size) == [whole[at : at + size] for at in range(0, len(whole), size)]


def test_a_page_is_steady_while_rows_arrive(people: None) -> None:
    first = page(User.objects.all(), ("-id",), size=3)
    User.objects.create(username="newest")
    second = page(User.objects.all(), ("-id",), first.following, size=3)
    assert [user.username for user in (*first.rows, *second.rows)] == [
        f"u{number}" for number in (6, 5, 4, 3, 2, 1)
    ]


def test_no_rows_make_one_empty_page(db: None) -> None:
    empty = page(AuditEntry.objects.all(), ("-id",))
    assert (empty.rows, empty.following, empty.is_first) == ([], "", True)


@pytest.mark.parametrize(
    "key", ["?", "W10", "WyJ4Il0", "WzFd4", "bnVsbA", "WzEsMl0", "é", "A" * 5000]
)
def test_a_damaged_key_gives_the_first_page(people: None, key: str) -> None:
    found = page(User.objects.all(), ("-id",), key, size=3)
    assert found.is_first
    assert [user.username for user in found.rows] == ["u6", "u5", "u4"]


@given(st.text(max_size=40))
def test_no_key_fails(key: str) -> None:
    from consulops.core import paging

    paging._read(User, ("-date_joined", "-id"), key)

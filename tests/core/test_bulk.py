"""Thousands of rows at once are written as a few are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from consulops.core import bulk
from consulops.core.status import Status
from consulops.health.models import Check
from consulops.silences.models import Silence
from tests.alerts.factories import make_cluster

pytestmark = pytest.mark.django_db

ODD = 'a\tb\n\\N "quoted" \\ ünï {} ,'
# A few go by INSERT, many by COPY.
SIZES = [1, bulk.FEW + 1]


def checks(count: int, **values: object) -> list[Check]:
    now = timezone.now()
    cluster = make_cluster()
    given = {
        "cluster": cluster,
        "node": ODD,
        "status": Status.CRITICAL,
        "rank": 0,
        "since": now,
        "first_seen_at": now,
        "output": ODD,
        "tags": [ODD, "", "NULL"],
        **values,
    }
    return [Check(check_id=f"c{number}", **given) for number in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_rows_are_inserted_as_they_are_and_get_their_keys(size: int) -> None:
    made = bulk.insert(checks(size))
    assert [row.pk for row in made] == sorted({row.pk for row in made})
    for row in made:
        stored = Check.objects.get(pk=row.pk)
        for field in Check._meta.concrete_fields:
            assert getattr(stored, field.attname) == getattr(row, field.attname)
        assert not row._state.adding
    # The keys are taken: the next row gets another.
    assert Check.objects.count() == size
    Check.objects.create(**{**vars_of(made[0]), "check_id": "another"})


def vars_of(row: Check) -> dict[str, object]:
    return {
        field.name: getattr(row, field.name)
        for field in Check._meta.concrete_fields
        if not field.primary_key
    }


@pytest.mark.parametrize("size", SIZES)
def test_named_fields_are_updated_and_no_others(size: int) -> None:
    made = bulk.insert(checks(size))
    later = made[0].since + timedelta(hours=1)
    for number, row in enumerate(made):
        row.status, row.since, row.tags = Status.GONE, later, [str(number)]
        row.output = "not to be written"
    for _ in range(2):
        bulk.update(made, ("status", "since", "tags"))
    for number, row in enumerate(made):
        stored = Check.objects.get(pk=row.pk)
        assert (stored.status, stored.since, stored.tags) == ("gone", later, [str(number)])
        assert stored.output == ODD


def test_what_a_transaction_left_behind_is_not_written_by_the_next() -> None:
    made = bulk.insert(checks(bulk.FEW + 1))
    for status in (Status.WARNING, Status.PASSING):
        for row in made:
            row.status = status
        bulk.update(made, ("status",))
    assert set(Check.objects.values_list("status", flat=True)) == {"passing"}


@pytest.mark.parametrize("size", SIZES)
def test_what_is_there_already_is_refused_as_django_does(size: int) -> None:
    bulk.insert(checks(size))
    twins = [Check(**vars_of(row)) for row in Check.objects.all()]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert(twins)
    assert Check.objects.count() == size


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", SIZES)
def test_an_update_needs_no_transaction_of_the_caller(size: int) -> None:
    made = bulk.insert(checks(size))
    for row in made:
        row.status = Status.WARNING
    bulk.update(made, ("status",))
    assert set(Check.objects.values_list("status", flat=True)) == {"warning"}


@pytest.mark.parametrize("size", SIZES)
def test_fields_that_set_themselves_do_so(size: int) -> None:
    rows = [Silence(comment="x", author_name="ada") for _ in range(size)]
    assert all(row.created_at and row.updated_at for row in bulk.insert(rows))
    assert Silence.objects.count() == size


def test_nothing_is_nothing() -> None:
    with connection.execute_wrapper(_refuse):
        assert bulk.insert([]) == []
        bulk.update([], ("status",))


def _refuse(*_: object) -> None:
    raise AssertionError("the database was asked")

"""Writes thousands of rows in one go: PostgreSQL's COPY takes them many times faster than INSERT.

Django hands rows to INSERT as arrays of texts, whose quoting alone takes longer than all the rest
when there is JSON among them. A few rows go Django's way, which needs fewer round trips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from psycopg import sql
from psycopg.types.json import Jsonb

Row = TypeVar("Row", bound=models.Model)

# Of these the value in the row is the value in the table; to ask the field takes most of the time.
_AS_THEY_ARE = frozenset(
    {
        *(models.AutoField, models.BigAutoField, models.BigIntegerField, models.BooleanField),
        *(models.CharField, models.DateTimeField, models.FloatField, models.ForeignKey),
        *(models.IntegerField, models.PositiveIntegerField, models.SmallIntegerField),
        *(models.TextField, models.UUIDField, ArrayField),
    }
)

# Up to so many rows COPY gains nothing.
FEW = 4


def insert(rows: Sequence[Row]) -> list[Row]:
    """Inserts new rows of one model and gives them their keys. Needs a transaction of the caller.

    Raises IntegrityError.
    """
    if len(rows) <= FEW:
        return type(rows[0])._default_manager.bulk_create(rows) if rows else []
    meta = rows[0]._meta
    for row, key in zip(rows, _new_keys(meta.db_table, len(rows)), strict=True):
        row.pk = key
    with connection.cursor() as cursor:
        _copy(cursor, meta.db_table, rows, meta.concrete_fields)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias
    return list(rows)


# Without one the rows would be gone before they are used.
@transaction.atomic(savepoint=False)
def update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Writes these fields of rows that are all there, in one transaction."""
    if not rows:
        return
    meta = rows[0]._meta
    if len(rows) <= FEW:
        # bulk_update takes ten times as long: it makes a CASE of every value.
        type(rows[0])._base_manager.bulk_create(
            rows, update_conflicts=True, unique_fields=(meta.pk.name,), update_fields=names
        )
        return
    fields: list[Any] = [meta.get_field(name) for name in names]
    table, bulk = sql.Identifier(meta.db_table), sql.Identifier(f"bulk_{meta.db_table}")
    columns = [sql.Identifier(field.column) for field in fields]
    with connection.cursor() as cursor:
        # Of the session: made once, and empty again after each transaction.
        cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS"
                " AS SELECT * FROM {} WITH NO DATA"
            ).format(bulk, table)
        )
        cursor.execute(sql.SQL("TRUNCATE {}").format(bulk))
        _copy(cursor, f"bulk_{meta.db_table}", rows, [meta.pk, *fields])
        cursor.execute(
            sql.SQL("UPDATE {} AS kept SET {} FROM {} AS given WHERE kept.{} = given.{}").format(
                table,
                sql.SQL(", ").join(sql.SQL("{0} = given.{0}").format(name) for name in columns),
                bulk,
                *[sql.Identifier(str(meta.pk.column))] * 2,
            )
        )


def _new_keys(table: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, count],
        )
        return sorted(key for (key,) in cursor.fetchall())


def _copy(cursor: Any, table: str, rows: Sequence[models.Model], fields: Sequence[Any]) -> None:
    columns = sql.SQL(", ").join(sql.Identifier(field.column) for field in fields)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
    readers = [_reader(field) for field in fields]
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([read(row) for read in readers])


def _reader(field: Any) -> Callable[[Any], Any]:
    """How a row's value of this field is got for the database."""
    own = attrgetter(field.attname)
    sets_itself = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    if type(field) in _AS_THEY_ARE and not sets_itself:
        return own
    if type(field) is models.JSONField and not field.null and field.encoder is None:
        return lambda row: Jsonb(own(row))
    return lambda row: field.get_db_prep_save(field.pre_save(row, True), connection)

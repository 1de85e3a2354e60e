"""Finds changes of checks among a million of them, newest first, in milliseconds.

Names are looked for in the checks, of which there are few, and changes then by the checks' keys.
Every query is answered from an index alone; the rows themselves are read for one page only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Left

from consulops.clusters.models import Cluster
from consulops.core.paging import SIZE, Page
from consulops.health.models import Check, Transition

# Of so many checks each is asked for its newest changes; of more, the changes are walked by time.
FEW = 1000
# Beyond this nobody counts.
COUNTED = 1000
EXPORTED_AT_ONCE = 500
_EXCERPT = 160

_KEY = re.compile(r"(-?\d{1,17})-(\d{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which changes are looked for; what is empty leaves nothing out."""

    cluster: str = ""
    words: str = ""
    service: str = ""
    node: str = ""
    # The status before the change, and after it.
    previous: str = ""
    status: str = ""
    begin: datetime | None = None
    end: datetime | None = None

    @property
    def names_checks(self) -> bool:
        """Whether it means some checks only."""
        return bool(self.words or self.service or self.node)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of changes; the first page also says how many there are, as far as is counted."""

    page: Page[Transition]
    count: int | None = None

    @property
    def is_many(self) -> bool:
        """Whether there are more than were counted."""
        return self.count is not None and self.count > COUNTED


def find(sought: Sought, after: str = "", size: int = SIZE) -> Found:
    """The changes after that key, newest first. A key that cannot be read gives the first page."""
    key = _read(after)
    narrowed = _narrowed(sought)
    if narrowed is None:
        return Found(Page([], "", is_first=key is None), 0)
    if key is not None:
        return Found(_page(narrowed.beyond(key).newest(size + 1), size, is_first=False))
    if narrowed.is_probed:
        ids = narrowed.newest(size + 1)
        count = narrowed.count() if len(ids) > size else len(ids)
    else:
        # To walk once and count as it goes costs less than to walk twice.
        ids = narrowed.newest(COUNTED + 1)
        count = len(ids)
    return Found(_page(ids, size, is_first=True), count)


def every(sought: Sought) -> Iterator[Transition]:
    """All of them, read piece by piece: no cursor stays open while a slow reader takes them."""
    narrowed = _narrowed(sought)
    rest = narrowed
    while narrowed and rest:
        rows = _rows(rest.newest(EXPORTED_AT_ONCE))
        yield from rows
        rest = narrowed.beyond((rows[-1].at, rows[-1].pk)) if rows else None


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """The same as SQL: conditions on the alias t, and the values in them."""

    conditions: tuple[str, ...]
    values: dict[str, Any]
    # Whether each of `values["checks"]` is asked on its own.
    is_probed: bool

    def beyond(self, key: tuple[datetime, int]) -> _Narrowed:
        """Only what comes after this change."""
        conditions = (*self.conditions, "(t.at, t.id) < (%(at)s, %(id)s)")
        return replace(
            self, conditions=conditions, values={**self.values, "at": key[0], "id": key[1]}
        )

    def newest(self, limit: int) -> list[int]:
        """The keys of the newest ones."""
        return self._keys(_PROBE if self.is_probed else _WALK, limit)

    def count(self) -> int:
        """How many there are, one more than is counted at most; for those that are probed."""
        return len(self._keys(_COUNT, COUNTED + 1))

    def _keys(self, template: str, limit: int) -> list[int]:
        query = template.format(conditions="".join(f" AND {one}" for one in self.conditions))
        with connection.cursor() as cursor:
            cursor.execute(query, {**self.values, "limit": limit})
            return [row[0] for row in cursor.fetchall()]


def _narrowed(sought: Sought) -> _Narrowed | None:
    """None when nothing can be found: no such cluster, or no check has such a name."""
    values: dict[str, Any] = {
        "status": sought.status or None,
        "previous": sought.previous or None,
        "begin": sought.begin,
        "end": sought.end,
    }
    if sought.cluster:
        clusters = Cluster.every.filter(name=sought.cluster)
        values["cluster"] = clusters.values_list("pk", flat=True).first()
        if values["cluster"] is None:
            return None
    conditions = [text for name, text in _CONDITIONS.items() if values.get(name) is not None]
    if not sought.names_checks:
        return _Narrowed(tuple(conditions), values, is_probed=False)
    values["checks"] = checks = _checks(sought, values.get("cluster"))
    if len(checks) > FEW:
        conditions.append("t.check_id = ANY(%(checks)s)")
    return _Narrowed(tuple(conditions), values, len(checks) <= FEW) if checks else None


_CONDITIONS = {
    "cluster": "t.cluster_id = %(cluster)s",
    "status": "t.status = %(status)s",
    "previous": "t.previous = %(previous)s",
    "begin": "t.at >= %(begin)s",
    "end": "t.at < %(end)s",
}


def _checks(sought: Sought, cluster: int | None) -> list[int]:
    found = Check.every.naming(sought.words)
    wanted = {"cluster": cluster, "service": sought.service, "node": sought.node}
    found = found.filter(**{name: value for name, value in wanted.items() if value})
    return list(found.order_by().values_list("pk", flat=True))


_WALK = """
SELECT t.id FROM health_transition t WHERE true {conditions}
ORDER BY t.at DESC, t.id DESC LIMIT %(limit)s
"""

# The newest rows of many checks come from those whose own newest is newest: each is asked for that
# one, and then only as many checks as rows are wanted for all of theirs.
_PROBE = """
WITH newest AS (
    SELECT c.id, one.at, one.id AS transition
    FROM unnest(%(checks)s::bigint[]) AS c (id) CROSS JOIN LATERAL (
        SELECT t.at, t.id FROM health_transition t WHERE t.check_id = c.id {conditions}
        ORDER BY t.at DESC, t.id DESC LIMIT 1
    ) AS one
    ORDER BY one.at DESC, one.id DESC LIMIT %(limit)s
)
SELECT one.id FROM newest CROSS JOIN LATERAL (
    SELECT t.at, t.id FROM health_transition t WHERE t.check_id = newest.id {conditions}
    ORDER BY t.at DESC, t.id DESC LIMIT %(limit)s
) AS one
ORDER BY one.at DESC, one.id DESC LIMIT %(limit)s
"""

_COUNT = """
SELECT 1 FROM unnest(%(checks)s::bigint[]) AS c (id) CROSS JOIN LATERAL (
    SELECT FROM health_transition t WHERE t.check_id = c.id {conditions} LIMIT %(limit)s
) AS one LIMIT %(limit)s
"""


def _page(ids: list[int], size: int, *, is_first: bool) -> Page[Transition]:
    rows = _rows(ids[:size])
    return Page(rows, _write(rows[-1]) if len(ids) > size and rows else "", is_first)


def _rows(ids: list[int]) -> list[Transition]:
    found = Transition.objects.told().annotate(excerpt=Left("output", _EXCERPT)).in_bulk(ids)
    # What was pruned a moment ago is not among them.
    return [found[pk] for pk in ids if pk in found]


def _write(row: Transition) -> str:
    return f"{(row.at - _EPOCH) // _MICROSECOND}-{row.pk}"


def _read(text: str) -> tuple[datetime, int] | None:
    found = _KEY.fullmatch(text)
    if found is None:
        return None
    try:
        return _EPOCH + int(found[1]) * _MICROSECOND, int(found[2])
    except OverflowError:
        return None

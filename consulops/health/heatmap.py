"""How long each service has failed in each block of time: the worst ones, for a map of colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from consulops.health.hours import HOUR, floor

SERVICES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Span:
    """How much time a map shows, and in which blocks; a day is one of UTC."""

    label: str
    blocks: int
    block: timedelta

    @property
    def length(self) -> timedelta:
        """From the beginning of the first block to the end of the last."""
        return self.blocks * self.block

    def starts(self, begin: datetime) -> list[datetime]:
        """When each block begins."""
        return [begin + self.block * number for number in range(self.blocks)]


SPANS = {
    "24h": Span("24 hours", 24, HOUR),
    "7d": Span("7 days", 28, 6 * HOUR),
    "30d": Span("30 days", 30, 24 * HOUR),
}
# What the intensities 1 to 4 reach up to, in seconds of failing in each hour, of all checks of a
# service together; 5 is beyond.
LIMITS_S = (60, 300, 900, 3600)


@dataclass(frozen=True, slots=True)
class Cell:
    """One service in one block: seconds in each failing state, added up over its checks."""

    critical_s: float
    warning_s: float
    checks: int

    @property
    def failing_s(self) -> float:
        """Both together."""
        return self.critical_s + self.warning_s


@dataclass(frozen=True, slots=True)
class Line:
    """One service of one cluster, and those of its blocks in which anything failed."""

    cluster: int
    service: str
    cells: dict[int, Cell]

    @property
    def failing_s(self) -> float:
        """The whole time, by which the worst is found."""
        return sum(cell.failing_s for cell in self.cells.values())


@dataclass(frozen=True, slots=True)
class Map:
    """The worst services, worst first, and how many there are that failed at all."""

    begin: datetime
    span: Span
    lines: list[Line]
    total: int

    @property
    def starts(self) -> list[datetime]:
        """When each block begins."""
        return self.span.starts(self.begin)


def begin_of(span: Span, now: datetime) -> datetime:
    """The beginning of the map whose last block is the one that is now; blocks begin in UTC."""
    hours = int(span.block / HOUR)
    this_hour = floor(now)
    block = this_hour - HOUR * (this_hour.hour % hours)
    return block - span.block * (span.blocks - 1)


def level(seconds: float, block: timedelta) -> int:
    """The intensity of a block, from 0 (nothing failed) to 5."""
    if seconds <= 0:
        return 0
    an_hour = seconds / (block / HOUR)
    return 1 + sum(an_hour > limit for limit in LIMITS_S)


def heat(
    span: Span, begin: datetime, now: datetime, cluster: int | None = None, words: str = ""
) -> Map:
    """The map of the services with all these words in their names; one query.

    What a check is in now counts until now, or until its cluster last answered.
    """
    values: dict[str, Any] = {
        "begin": begin,
        "end": begin + span.length,
        "now": now,
        "block": span.block,
        "cluster": cluster,
        "words": [f"%{_escaped(word)}%" for word in words.split()],
        "limit": SERVICES_SHOWN,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HEAT, values)
        rows = cursor.fetchall()
    places = {start: place for place, start in enumerate(span.starts(begin))}
    return Map(begin, span, _lines(rows, places), rows[0][0] if rows else 0)


def _lines(rows: Sequence[tuple[Any, ...]], places: Mapping[datetime, int]) -> list[Line]:
    found: dict[tuple[int, str], Line] = {}
    for _, cluster, service, block, critical_s, warning_s, checks in rows:
        line = found.setdefault((cluster, service), Line(cluster, service, {}))
        line.cells[places[block]] = Cell(critical_s, warning_s, checks)
    return list(found.values())


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


# The hours that are over, and the states that still last, which no hour has yet. First by check,
# so that each check is counted once, then by service.
_HEAT = """
WITH meant AS (
    SELECT id, cluster_id, service, status, since FROM health_check
    WHERE source = 'consul' AND service <> ''
      AND (%(cluster)s::bigint IS NULL OR cluster_id = %(cluster)s)
      AND service ILIKE ALL (%(words)s::text[])
), failing AS MATERIALIZED (
    SELECT id, status, since, least(%(now)s, coalesce(answered_at, %(now)s)) AS seen
    FROM meant JOIN clusters_clusterstate USING (cluster_id)
    WHERE status IN ('critical', 'warning')
), lasting AS (
    SELECT id, status, block, greatest(since, block) AS start,
        least(block + %(block)s, seen) AS until
    FROM failing JOIN generate_series(%(begin)s, %(end)s - %(block)s, %(block)s) AS block
        ON block + %(block)s > since
), spent AS (
    SELECT check_id, date_bin(%(block)s, hour, %(begin)s) AS block, critical_s, warning_s
    FROM health_checkhour
    WHERE hour >= %(begin)s AND hour < %(end)s AND critical_s + warning_s > 0
  UNION ALL
    SELECT id, block,
        CASE WHEN status = 'critical' THEN extract(epoch FROM until - start)::float8 ELSE 0 END,
        CASE WHEN status = 'warning' THEN extract(epoch FROM until - start)::float8 ELSE 0 END
    FROM lasting WHERE until > start
), of_checks AS (
    SELECT check_id, block, sum(critical_s) AS critical_s, sum(warning_s) AS warning_s
    FROM spent GROUP BY check_id, block
), cells AS (
    SELECT cluster_id, service, block, sum(critical_s) AS critical_s, sum(warning_s) AS warning_s,
        count(*) AS checks
    FROM of_checks JOIN meant ON meant.id = of_checks.check_id
    GROUP BY cluster_id, service, block
), worst AS (
    SELECT cluster_id, service, sum(critical_s + warning_s) AS seconds, count(*) OVER () AS total
    FROM cells GROUP BY cluster_id, service
    ORDER BY seconds DESC, service, cluster_id LIMIT %(limit)s
)
SELECT total, cluster_id, service, block, critical_s, warning_s, checks
FROM worst JOIN cells USING (cluster_id, service)
ORDER BY seconds DESC, service, cluster_id, block
"""

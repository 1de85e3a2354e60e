"""All rows of the table, in the order in which they are measured and shown."""

from __future__ import annotations

from tests.bench.rows import burst, idle, kill, latency, page

ROWS = (
    latency.FAIL_SMALL,
    latency.FAIL_LARGE,
    latency.RECOVER,
    page.ROW,
    burst.ROW,
    idle.ROW,
    kill.ROW,
)

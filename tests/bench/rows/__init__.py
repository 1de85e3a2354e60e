"""All rows of the table, in the order in which they are measured and shown."""

from __future__ import annotations

from tests.bench.rows import burst, fleet, history, idle, kill, large, latency, page, server, storm

ROWS = (
    latency.FAIL_SMALL,
    latency.FAIL_LARGE,
    latency.RECOVER,
    page.ROW,
    server.ROW,
    burst.ROW,
    storm.ALONE,
    storm.GROUPED,
    idle.ROW,
    kill.ROW,
    history.ROW,
    fleet.FAIL,
    fleet.MEMORY,
    fleet.IDLE,
    large.FAIL,
    large.MEMORY,
    large.IDLE,
)

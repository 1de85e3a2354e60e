"""What the pages of the history cost at the server when a million changes are kept."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from urllib.parse import urlencode

from tests.bench.row import Measured, Row
from tests.bench.rows.server import signed_in, times_of
from tests.bench.world import World

CHANGES = 1_000_000
CHECKS = 5_000
DAYS = 395

# Of these clusters the first has 80 of 100 checks, the last one; nobody watches them.
_CLUSTERS = ("past-large", "past-middle", "past-small")

# 1,500 checks are of service-0, the others of 400 services.
_FILL_CHECKS = """
INSERT INTO health_check (cluster_id, node, check_id, source, name, service_id, service, tags,
    status, rank, since, output, notes, modify_index, first_seen_at)
SELECT (SELECT id FROM clusters_cluster WHERE name = CASE
        WHEN n %% 100 < 80 THEN 'past-large' WHEN n %% 100 < 99 THEN 'past-middle'
        ELSE 'past-small' END),
    'node-' || n / 10, 'past-' || n, 'consul', 'HTTP of past-' || n, service || '-' || n, service,
    '{}', CASE WHEN n %% 25 = 0 THEN 'critical' WHEN n %% 40 = 1 THEN 'warning' ELSE 'passing' END,
    CASE WHEN n %% 25 = 0 THEN 0 WHEN n %% 40 = 1 THEN 2 ELSE 4 END,
    now() - interval '3 days' * random(), 'it is so', '', n, now() - interval '400 days'
FROM (SELECT n, 'service-' || CASE WHEN n <= 1500 THEN 0 ELSE n %% 400 END AS service
    FROM generate_series(1, %(checks)s) AS n) AS one
"""

# Each third change is of one of few checks that change all the time; every 50,000th is rare.
_FILL_CHANGES = """
INSERT INTO health_transition
    (check_id, cluster_id, at, previous, status, output, modify_index, watched)
SELECT one.id, one.cluster_id, now() - interval '1 day' * %(days)s * (1 - n / %(changes)s::float8),
    (ARRAY['passing', 'critical', 'passing', 'critical', 'passing', 'warning'])[1 + n %% 6],
    CASE WHEN n %% 50000 = 7 THEN 'maintenance' ELSE
    (ARRAY['critical', 'passing', 'critical', 'passing', 'warning', 'passing'])[1 + n %% 6] END,
    'HTTP GET http://10.0.0.1:8080/health: 503 Service Unavailable Output: not ready yet', n, true
FROM (SELECT n, 1 + floor(power(random(), CASE WHEN n %% 3 = 0 THEN 4 ELSE 1 END)
        * (%(checks)s - 1))::int AS place FROM generate_series(1, %(changes)s) AS n) AS change
JOIN (SELECT id, cluster_id, row_number() OVER (ORDER BY id) AS place FROM health_check
    WHERE check_id LIKE 'past-%%') AS one USING (place)
ORDER BY n
"""

_FILL_HOURS = """
INSERT INTO health_checkhour (check_id, hour, critical_s, warning_s, maintenance_s, unknown_s)
SELECT check_id, date_trunc('hour', at),
    200 * count(*) FILTER (WHERE status = 'critical'),
    200 * count(*) FILTER (WHERE status = 'warning'), 0, 0
FROM health_transition WHERE status IN ('critical', 'warning') GROUP BY 1, 2
ON CONFLICT DO NOTHING
"""


def measure(world: World, trials: int) -> Measured:
    """The times of the slowest page in milliseconds, over HTTP and so with all that it adds."""
    began = time.monotonic()
    _fill(world)
    filled_s = time.monotonic() - began
    with signed_in(world) as person:
        times = {name: times_of(person, world.url + path, trials) for name, path in _pages()}
    medians = {name: round(median(samples), 1) for name, samples in times.items()}
    slowest = max(medians, key=medians.__getitem__)
    facts = {
        "slowest": slowest,
        "medians_ms": medians,
        "changes": world.number("SELECT count(*) FROM health_transition"),
        "hours": world.number("SELECT count(*) FROM health_checkhour"),
        "filled_s": round(filled_s, 1),
    }
    return Measured(times[slowest], facts)


def _fill(world: World) -> None:
    world.apply(
        clusters=[
            {"name": name, "address": "http://127.0.0.1:1", "enabled": False} for name in _CLUSTERS
        ]
    )
    values = {"checks": CHECKS, "changes": CHANGES, "days": DAYS}
    for statement in (_FILL_CHECKS, _FILL_CHANGES):
        world.link.execute(statement, values)
    world.link.execute(_FILL_HOURS)
    # As autovacuum has done in a database that did not get its year in half a minute.
    world.link.execute("VACUUM ANALYZE health_check, health_transition, health_checkhour")


def _pages() -> list[tuple[str, str]]:
    now = datetime.now(UTC)
    deep = now - timedelta(days=200)
    old = {"from": f"{deep:%Y-%m-%dT%H:%MZ}", "to": f"{deep + timedelta(hours=6):%Y-%m-%dT%H:%MZ}"}
    after = {"after": f"{int(deep.timestamp() * 1_000_000)}-1"}
    history: dict[str, dict[str, str]] = {
        "first page": {},
        "deep page": after,
        "a service of nine checks": {"service": "service-77"},
        "a service of 1,500 checks": {"service": "service-0"},
        "a service of 1,500 checks, deep page": {"service": "service-0", **after},
        "a node": {"node": "node-77"},
        "a word that no check has": {"q": "nothing"},
        "a word that one check has": {"q": "past-4711"},
        "a word that many checks have": {"q": "past"},
        "a word that many checks have, a rare status": {"q": "past-1", "status": "maintenance"},
        "a frequent status": {"status": "critical"},
        "a rare status": {"status": "maintenance"},
        "a status that none has": {"status": "gone"},
        "a status before that none had": {"was": "gone"},
        "a status before, with a word": {"q": "service-0", "was": "gone"},
        "the largest cluster": {"cluster": "past-large"},
        "the smallest cluster": {"cluster": "past-small"},
        "the smallest cluster, a rare status": {"cluster": "past-small", "status": "maintenance"},
        "the last hour": {"range": "1h"},
        "30 days": {"range": "30d"},
        "six hours of long ago": old,
        "six hours of long ago, a service": {**old, "service": "service-0"},
    }
    maps = {"24h": {}, "7d": {"span": "7d"}, "30d": {"span": "30d"}}
    pages = [(name, f"/history/?{urlencode(query)}") for name, query in history.items()]
    return pages + [
        (f"heat map, {name}", f"/heatmap/?{urlencode(query)}") for name, query in maps.items()
    ]


ROW = Row(
    name="history-1m",
    what="the slowest page of the history and the heat map, 1,000,000 changes kept",
    unit="ms",
    checks=30,
    trials=20,
    measure=measure,
    median=150,
)

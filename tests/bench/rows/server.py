"""What a page costs at the server."""

from __future__ import annotations

import time
from statistics import median

import requests

from tests.bench.consuls import CLUSTER
from tests.bench.row import Broken, Measured, Row
from tests.bench.world import World

FAILING = 200
PAGES = {
    "overview": "/",
    "services": "/services/",
    "nodes": "/nodes/",
    "checks": "/checks/",
    "checks, searched": "/checks/?q=check-bulk-1",
    "alerts": "/alerts/",
    "alerts, searched": "/alerts/?q=bulk",
    "clusters": "/clusters/",
    "cluster": "/clusters/{cluster}/",
    "service": f"/service/?cluster={CLUSTER}&name=bulk-service-0",
    "node": f"/node/?cluster={CLUSTER}&name=bulk-node-0",
    "check": "/checks/1/",
    "alert": "/alerts/1/",
    "routes": "/routes/",
    "notifiers": "/notifiers/",
    "users": "/users/",
    "audit": "/audit/",
    "system": "/system/",
}


def measure(world: World, trials: int) -> Measured:
    """The times of the slowest page in milliseconds, over HTTP and so with all that it adds."""
    failing = world.checks[:FAILING]
    world.set(failing, "critical")
    world.arrivals(failing)
    with signed_in(world) as person:
        times = {name: times_of(person, url, trials) for name, url in _addresses(world).items()}
    world.recover(failing)
    medians = {name: round(median(samples), 1) for name, samples in times.items()}
    slowest = max(medians, key=medians.__getitem__)
    return Measured(times[slowest], {"slowest": slowest, "medians_ms": medians})


def _addresses(world: World) -> dict[str, str]:
    cluster = world.number("SELECT id FROM clusters_cluster WHERE name = %s", CLUSTER)
    return {name: world.url + path.format(cluster=cluster) for name, path in PAGES.items()}


def signed_in(world: World) -> requests.Session:
    """The admin's browser."""
    person = requests.Session()
    person.trust_env = False
    login = f"{world.url}/login/"
    person.get(login, timeout=10)
    token = next(one.value for one in person.cookies if "csrf" in one.name)
    fields = {"username": "admin", "password": world.password, "csrfmiddlewaretoken": token}
    answer = person.post(login, data=fields, headers={"Referer": login}, timeout=10)
    answer.raise_for_status()
    return person


def times_of(person: requests.Session, url: str, trials: int) -> list[float]:
    """How long that address took each time, in milliseconds. Raises Broken."""
    samples = []
    # The first one fills caches, as after any start.
    for trial in range(trials + 1):
        began = time.perf_counter()
        answer = person.get(url, timeout=30, allow_redirects=False)
        took_ms = (time.perf_counter() - began) * 1000
        if answer.status_code != requests.codes.ok:
            raise Broken(f"{url} answered {answer.status_code}")
        if trial:
            samples.append(took_ms)
    return samples


ROW = Row(
    name="server-5000",
    what="the slowest page at the server, 5,000 checks, 200 of them failing",
    unit="ms",
    checks=5000,
    trials=30,
    measure=measure,
    median=60,
)

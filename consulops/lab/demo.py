"""The demo of a first start: two real datacenters whose services can be broken by hand."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from consulops.lab.cluster import LocalCluster
from consulops.lab.registrations import ttl_check

# Consul's own default, so that a plain curl or `consul` reaches the demo, and one beside it.
PORTS = {"dc1": 8500, "dc2": 8510}
# In the demo's folder: the API's URL of each datacenter of the demo that runs.
ADDRESSES = "addresses.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """One service instance of the demo; checks are (id, name, first status, output)."""

    datacenter: str
    service: str
    service_id: str
    port: int
    checks: tuple[tuple[str, str, str, str], ...]
    tags: tuple[str, ...] = ()
    meta: dict[str, str] = field(default_factory=dict)


INSTANCES = (
    Instance(
        "dc1",
        "web",
        "web-1",
        8080,
        (
            ("web-1", "HTTP", "passing", "HTTP GET /: 200 OK in 12 ms"),
            ("web-1-disk", "Disk space", "passing", "/var is 41 % full"),
        ),
        ("frontend", "production"),
        {"team": "storefront", "version": "4.2.0"},
    ),
    Instance(
        "dc1",
        "web",
        "web-2",
        8081,
        (
            ("web-2", "HTTP", "passing", "HTTP GET /: 200 OK in 14 ms"),
            ("web-2-disk", "Disk space", "warning", "/var is 83 % full, 80 % is the limit"),
        ),
        ("frontend", "production"),
        {"team": "storefront", "version": "4.2.0"},
    ),
    Instance(
        "dc1",
        "api",
        "api-1",
        9090,
        (
            ("api-1", "HTTP", "passing", "HTTP GET /health: 200 OK in 8 ms"),
            ("api-1-latency", "Latency", "passing", "p95 is 64 ms"),
        ),
        ("backend", "production"),
        {"team": "platform", "version": "2.19.3"},
    ),
    Instance(
        "dc1",
        "payments",
        "payments-1",
        9443,
        (
            ("payments-1", "HTTP", "passing", "HTTP GET /ready: 200 OK in 21 ms"),
            ("payments-1-certificate", "Certificate", "passing", "expires in 61 days"),
        ),
        ("backend", "production", "pci"),
        {"team": "payments", "version": "1.7.1"},
    ),
    Instance(
        "dc1",
        "redis",
        "redis-1",
        6379,
        (("redis-1", "PING", "passing", "PONG in 1 ms"),),
        ("cache",),
        {"team": "platform"},
    ),
    Instance(
        "dc1",
        "postgres",
        "postgres-1",
        5432,
        (
            ("postgres-1", "Accepts connections", "passing", "accepting connections"),
            ("postgres-1-replication", "Replication lag", "passing", "replica is 0.2 s behind"),
        ),
        ("primary", "production"),
        {"team": "data"},
    ),
    Instance(
        "dc2",
        "web",
        "web-1",
        8080,
        (("web-1", "HTTP", "passing", "HTTP GET /: 200 OK in 17 ms"),),
        ("frontend", "standby"),
        {"team": "storefront", "version": "4.2.0"},
    ),
    Instance(
        "dc2",
        "postgres",
        "postgres-2",
        5432,
        (("postgres-2", "Accepts connections", "passing", "accepting connections"),),
        ("replica", "standby"),
        {"team": "data"},
    ),
)


class Demo:
    """Two datacenters of one server each, joined over WAN, kept in the data folder.

    Data, ports and what was broken survive a restart of the demo.
    """

    def __init__(self, binary: Path, data: Path) -> None:
        self._folder = data / "demo"
        self._clusters = {
            name: LocalCluster(binary, datacenter=name, folder=self._folder / name, ports=[port])
            for name, port in PORTS.items()
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts both datacenters and waits until they are joined; raises LabError otherwise."""
        with ExitStack() as undo:
            undo.callback(self.stop)
            for cluster in self._clusters.values():
                cluster.start()
            first, second = self._clusters.values()
            first.join_wan(second)
            self._register()
            undo.pop_all()
        # For `up`: complete or not there, and only once everything is.
        draft = self._folder / "addresses.new"
        draft.write_text(json.dumps(self.addresses()), encoding="utf-8")
        draft.replace(self._folder / ADDRESSES)

    def stop(self) -> None:
        """Stops both datacenters side by side."""
        with ThreadPoolExecutor(len(self._clusters)) as pool:
            list(pool.map(LocalCluster.stop, self._clusters.values()))

    def addresses(self) -> dict[str, str]:
        """The API's URL of each datacenter."""
        return {name: cluster.address for name, cluster in self._clusters.items()}

    def break_check(self, datacenter: str, check_id: str, output: str = "broken by hand") -> None:
        """Makes a check critical."""
        self._clusters[datacenter].set_check(check_id, "critical", output)

    def mend_check(self, datacenter: str, check_id: str, output: str = "mended by hand") -> None:
        """Makes a check passing again."""
        self._clusters[datacenter].set_check(check_id, "passing", output)

    def hint(self) -> str:
        """One line: where the demo is, and how to break a service by hand."""
        where = ", ".join(f"{name} at {url}" for name, url in self.addresses().items())
        url = f"{self.addresses()['dc1']}/v1/agent/check/fail/web-1?note=broken+by+hand"
        return f"Demo: {where}. Break a check: curl -X PUT '{url}' (mend: pass instead of fail)"

    def _register(self) -> None:
        """Registers what is not there yet; what somebody broke stays broken."""
        for name, cluster in self._clusters.items():
            known = cluster.call("GET", "agent/services")
            for instance in INSTANCES:
                if instance.datacenter == name and instance.service_id not in known:
                    _register(cluster, instance)


def _register(cluster: LocalCluster, instance: Instance) -> None:
    cluster.register_service(
        instance.service,
        instance.service_id,
        [ttl_check(check_id, name, status) for check_id, name, status, _ in instance.checks],
        tags=instance.tags,
        meta=instance.meta,
        port=instance.port,
    )
    for check_id, _, status, output in instance.checks:
        cluster.set_check(check_id, status, output)

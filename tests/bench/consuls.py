"""The real Consuls of a world, each with its share of checks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from consulops.lab.cluster import LocalCluster

CLUSTER = "dc1"
# More at once would only make each election wait for the processors.
_AT_ONCE = 8

Check = tuple[str, str]


class Consuls:
    """So many clusters of one server, started side by side; a context manager.

    With several clusters the names of their nodes differ, so that a check is known by its key.
    """

    def __init__(self, binary: Path, clusters: int, checks: int) -> None:
        self.checks: list[Check] = []
        self._clusters = [LocalCluster(binary, datacenter=CLUSTER) for _ in range(clusters)]
        self._count = checks
        self._homes: dict[Check, LocalCluster] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack, ThreadPoolExecutor(_AT_ONCE) as pool:
            for cluster in self._clusters:
                self._stack.callback(cluster.stop)
            list(pool.map(LocalCluster.start, self._clusters))
            for number, cluster in enumerate(self._clusters):
                prefix = f"bulk{number}" if number else "bulk"
                made = cluster.register_many(self._count, prefix=prefix)
                self._homes |= dict.fromkeys(made, cluster)
            self._stack = self._stack.pop_all()
        self.checks = list(self._homes)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def document(self) -> list[dict[str, object]]:
        """The clusters as an admin would enter them."""
        return [
            {"name": f"dc{number}", "address": cluster.address}
            for number, cluster in enumerate(self._clusters, start=1)
        ]

    def set(self, checks: Sequence[Check], status: str) -> float:
        """Gives checks a status; the wall clock just before."""
        by_home: defaultdict[LocalCluster, list[Check]] = defaultdict(list)
        for check in checks:
            by_home[self._homes[check]].append(check)
        before = time.time()
        for home, its_checks in by_home.items():
            home.set_catalog_checks(its_checks, status, f"it is {status}")
        return before

    def processes(self) -> list[psutil.Process]:
        """The servers of all clusters."""
        return [psutil.Process(pid) for cluster in self._clusters for pid in cluster.pids]

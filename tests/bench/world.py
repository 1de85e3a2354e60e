"""The running product with real Consuls, its own database and a receiver, seen from outside."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from consulops.core import embedded_postgres
from tests.bench.consuls import Check, Consuls
from tests.bench.receiver import Arrival, Receiver
from tests.product import READY, Product, manage
from tests.waiting import eventually

PATIENCE_S = 60.0
# Tens of thousands of checks that nobody has seen before.
FIRST_S = 300.0

_SEEN = "SELECT count(*) FROM health_check WHERE source = 'consul'"
# Clusters whose loops have not yet all had their first turn.
_BEGINNING = """SELECT count(*) FROM clusters_cluster JOIN clusters_clusterstate ON cluster_id = id
    WHERE NOT internal AND (answered_at IS NULL OR probed_at IS NULL)"""
# Then they have nothing left to catch up with.
SETTLE_S = 5.0


class World:
    """`manage.py up` over an empty data folder, and so many registered checks in each of so many
    clusters; a context manager.

    One route sends every change of every check to the receiver, at once.
    """

    def __init__(self, consul: Path, clusters: int, checks: int) -> None:
        self.password = secrets.token_urlsafe(12)
        self.consuls = Consuls(consul, clusters, checks)
        self._seen = clusters * (checks + 1)
        # From "ready" until every check of every cluster was in the database.
        self.caught_up_s = 0.0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        enter = self._stack.enter_context
        self.data = Path(tempfile.mkdtemp(prefix="consulops-bench-"))
        self._stack.callback(shutil.rmtree, self.data, ignore_errors=True)
        # The database's own account must be able to pass.
        self.data.chmod(0o755)
        enter(self.consuls)
        self.receiver = enter(Receiver())
        url = enter(embedded_postgres.running(self.data))
        self._configure()
        password = {"CONSULOPS_ADMIN_PASSWORD": self.password}
        self.product = enter(Product(self.data, "--no-demo", **password))
        self.product.wait_for(READY)
        self.link: psycopg.Connection[tuple[Any, ...]] = enter(
            psycopg.connect(url, autocommit=True)
        )
        began = time.monotonic()
        # Each server has a check of its own.
        eventually(lambda: self.number(_SEEN) == self._seen, FIRST_S)
        self.caught_up_s = time.monotonic() - began
        self.wait(lambda: not self.number(_BEGINNING))
        time.sleep(SETTLE_S)

    def _configure(self) -> None:
        self.apply(
            clusters=self.consuls.document(),
            notifiers=[{"name": "hook", "kind": "webhook", "config": {"url": self.receiver.url}}],
            # Flapping is looked for as always, and never found: checks fail here again and again.
            noise={"flap_changes": 1000},
        )
        self.route()

    def route(self, **settings: object) -> None:
        """Sets the one route, which sends everything to the receiver at once."""
        self.apply(routes=[{"name": "everything", "notifiers": ["hook"], **settings}])

    def apply(self, **document: object) -> None:
        """Configures the product as an admin would."""
        file = self.data / "bench.yaml"
        # JSON is YAML.
        file.write_text(json.dumps(document), encoding="utf-8")
        done = manage(self.data, "apply", str(file))
        if done.returncode:
            raise RuntimeError(f"apply failed: {done.stdout}{done.stderr}")

    @property
    def checks(self) -> list[Check]:
        """Every check that can be set, as (node, check id)."""
        return self.consuls.checks

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.product.port}"

    def number(self, statement: str, *parameters: object) -> int:
        """The single number that a query of the product's database gives."""
        row = self.link.execute(statement, parameters).fetchone()
        return int(row[0]) if row else 0

    def wait(self, condition: Callable[[], bool]) -> None:
        """Looks again and again until the condition holds. Raises AssertionError."""
        eventually(condition, PATIENCE_S)

    def set(self, checks: Sequence[Check], status: str) -> float:
        """Gives checks a status in Consul; the wall clock just before."""
        return self.consuls.set(checks, status)

    @staticmethod
    def clock() -> float:
        """The wall clock that arrivals are stamped with."""
        return time.time()

    def arrivals(self, checks: Sequence[Check]) -> list[Arrival]:
        """Waits until a message about each of these checks has come; all that came meanwhile."""
        missing, found = set(checks), []
        while missing:
            found.append(self.receiver.next())
            missing.difference_update(found[-1].checks)
        return found

    def recover(self, checks: Sequence[Check]) -> None:
        """Makes failing checks pass again and waits until that was told and written down."""
        self.receiver.rest()
        self.set(checks, "passing")
        self.arrivals(checks)
        self.wait(lambda: not self.waiting())

    def waiting(self) -> int:
        """How many messages are not sent yet, or not yet known to be."""
        return self.number(
            "SELECT count(*) FROM alerts_delivery WHERE state IN ('queued', 'retrying')"
        )

    def postgres(self) -> list[psutil.Process]:
        """The processes of the embedded database."""
        main = int((self.data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
        server = psutil.Process(main)
        keeper = server.parent()
        return [*([keeper] if keeper else []), server, *server.children(recursive=True)]

"""PostgreSQL is restarted, killed, or away for a while: late, perhaps, but nothing is lost."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import pytest

from consulops.core.embedded_postgres import running
from consulops.core.postgres_keeper import YOUNG_S
from consulops.lab.cluster import LocalCluster
from consulops.loops.leases import LIFE_S
from tests.chaos.hooks import hold_back_after, keys_by_check
from tests.chaos.timing import measured
from tests.chaos.worker import Worker
from tests.product import manage
from tests.receivers import Answer, WebhookReceiver
from tests.waiting import eventually

pytestmark = [pytest.mark.consul, pytest.mark.product]

WAIT_S = 90.0
FAILING = 200

# Without those that ConsulOps has about itself.
CHECKS = "SELECT count(*) FROM health_check WHERE source = 'consul'"
SENT = "SELECT count(*) FROM alerts_delivery WHERE state = 'sent'"
HISTORY = "SELECT count(*) FROM health_transition"
FAILED = """SELECT count(DISTINCT check_id) FROM health_transition
    WHERE previous = 'passing' AND status = 'critical'"""


@pytest.fixture
def data() -> Iterator[Path]:
    """The folder of a server of this test's own: not pytest's, which its account may not enter."""
    folder = Path(tempfile.mkdtemp(prefix="consulops-chaos-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def configure(data: Path, url: str, consul: LocalCluster, hook: WebhookReceiver) -> None:
    notifier = {"name": "hook", "kind": "webhook", "config": {"url": hook.url}}
    document = {
        "clusters": [{"name": "dc1", "address": consul.address}],
        "notifiers": [notifier],
        "routes": [{"name": "everything", "notifiers": ["hook"]}],
    }
    file = data / "all.yaml"
    # JSON is YAML.
    file.write_text(json.dumps(document))
    done = manage(data, "apply", str(file), DATABASE_URL=url)
    assert done.returncode == 0, done.stderr


def number(url: str, statement: LiteralString) -> int:
    with psycopg.connect(url) as link:
        row = link.execute(statement).fetchone()
    return int(row[0]) if row else 0


def test_restarted_in_a_burst(
    data: Path, fresh_consul: LocalCluster, hook: WebhookReceiver, tmp_path: Path
) -> None:
    made = fresh_consul.register_many(FAILING)
    with ExitStack() as stack:
        with running(data) as url:
            configure(data, url, fresh_consul, hook)
            stack.enter_context(Worker(url, data, tmp_path / "watch.log"))
            # Consul's server has a check of its own.
            eventually(lambda: number(url, CHECKS) == FAILING + 1, WAIT_S)
            hold_back_after(hook, 30)
            fresh_consul.set_catalog_checks(made[: FAILING // 2], "critical")
            eventually(lambda: len(hook.requests) > 30, WAIT_S)
        # Nobody else had a share in the server: it has stopped. Meanwhile the other half fails.
        fresh_consul.set_catalog_checks(made[FAILING // 2 :], "critical")
        hook.answer = Answer()
        with running(data) as url:
            eventually(lambda: number(url, SENT) == FAILING, WAIT_S)
            stack.close()
            assert number(url, HISTORY) == number(url, FAILED) == FAILING
    keys = keys_by_check(hook)
    assert sorted(keys) == sorted(check_id for _, check_id in made)
    assert {len(one) for one in keys.values()} == {1}


def server_process(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postgres" / "postmaster.pid").read_text().split("\n")[0]))


def wait_until_old(process: psutil.Process, seconds: float) -> None:
    eventually(lambda: time.time() - process.create_time() > seconds, WAIT_S)


def test_killed_and_then_away_for_longer_than_the_leases_live(
    data: Path, fresh_consul: LocalCluster, hook: WebhookReceiver, tmp_path: Path
) -> None:
    made = fresh_consul.register_many(20)
    with ExitStack() as stack:
        with running(data) as url:
            configure(data, url, fresh_consul, hook)
            stack.enter_context(Worker(url, data, tmp_path / "watch.log"))
            eventually(lambda: number(url, CHECKS) == 21, WAIT_S)
            server = server_process(data)
            # A server that dies young is left to a person.
            wait_until_old(server, YOUNG_S + 1)
            server.kill()
            fresh_consul.set_catalog_checks(made[:10], "critical")
            with measured("PostgreSQL killed -9: what failed meanwhile was told"):
                hook.take(10, WAIT_S)
            eventually(lambda: number(url, SENT) == 10, WAIT_S)
        stopped_at = time.monotonic()
        fresh_consul.set_catalog_checks(made[10:], "critical")
        eventually(lambda: time.monotonic() - stopped_at > LIFE_S + 2, WAIT_S)
        with running(data) as url:
            with measured("PostgreSQL away for 10 s: what failed meanwhile was told"):
                hook.take(10, WAIT_S)
            eventually(lambda: number(url, SENT) == 20, WAIT_S)
            stack.close()
            assert number(url, HISTORY) == number(url, FAILED) == 20
    assert sorted(keys_by_check(hook)) == sorted(check_id for _, check_id in made)
    assert {len(one) for one in keys_by_check(hook).values()} == {1}

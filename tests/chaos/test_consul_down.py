"""Consul dies, hangs or loses its leader: what changed meanwhile is found, nothing is invented."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.utils import timezone

from consulops.alerts.models import Alert
from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.verdict import Counts, verdict
from consulops.consulapi import AsyncClient, Backoff, blocking
from consulops.health import loops as health_loops
from consulops.health import watcher
from consulops.health.models import Check, Transition
from consulops.lab.cluster import LocalCluster
from tests.alerts.factories import make_cluster
from tests.chaos.proxy import Proxy
from tests.chaos.timing import measured
from tests.looping import RunningLoop
from tests.waiting import eventually

pytestmark = [pytest.mark.consul, pytest.mark.django_db(transaction=True)]

CHECKS = 20
WAIT_S = 60.0


@pytest.fixture(scope="module")
def trio(consul_binary: Path) -> Iterator[LocalCluster]:
    """Three servers, of which one may be lost."""
    with LocalCluster(consul_binary, servers=3) as cluster:
        yield cluster


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher's deadlines, 20.6 s in all, shortened to 1.6 s: the behaviour is the same."""
    monkeypatch.setattr(watcher, "FAILING_WAIT_S", 0.6)
    monkeypatch.setattr(health_loops, "AsyncClient", partial(AsyncClient, timeout_s=1.0))


def failing() -> set[str]:
    return set(Check.objects.filter(status="critical").values_list("check_id", flat=True))


def open_alerts() -> set[str]:
    alerts = Alert.objects.filter(resolved_at__isnull=True)
    return set(alerts.values_list("check_ref__check_id", flat=True))


def ids(made: list[tuple[str, str]]) -> set[str]:
    return {check_id for _, check_id in made}


def fail_through(consul: LocalCluster, server: int, node: str, check_id: str) -> None:
    """Makes a check of `register_many` critical by way of this server; the first may be dead."""
    service_id = check_id.removeprefix("check-")
    check = {"CheckID": check_id, "Status": "critical", "ServiceID": service_id}
    body = {"Node": node, "SkipNodeUpdate": True, "Check": check}
    consul.call("PUT", "catalog/register", body, server)


def test_what_changed_around_a_crash_is_found(fresh_consul: LocalCluster) -> None:
    made = fresh_consul.register_many(CHECKS)
    cluster = make_cluster(address=fresh_consul.address)
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: Check.objects.count() == CHECKS + 1)
        fresh_consul.set_catalog_checks(made[:5], "critical")
        eventually(lambda: Alert.objects.count() == 5)
        fresh_consul.kill_server(0)
        eventually(lambda: state.exclude(error="").exists())
        assert "refused" in state.get().error or "closed" in state.get().error
        assert Check.objects.filter(status="critical").count() == 5
        fresh_consul.start_server(0)
        fresh_consul.set_catalog_checks(made[5:8], "critical")
        fresh_consul.set_catalog_checks(made[:1], "passing")
        with measured("Consul killed and started at once: what changed was told"):
            eventually(lambda: Check.objects.filter(status="critical").count() == 7)
            eventually(lambda: state.filter(error="").exists())
    assert not Check.objects.filter(status="gone").exists()
    assert Alert.objects.filter(resolved_at__isnull=True).count() == 7
    history = Transition.objects.filter(check_ref__service__startswith="bulk")
    assert history.filter(status="critical").count() == 8
    assert list(history.exclude(status="critical").values_list("check_ref__check_id")) == [
        (made[0][1],)
    ]


def test_what_changed_in_a_long_absence_is_found(
    fresh_consul: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pauses between tries are at once as long as they ever become.
    monkeypatch.setattr(blocking, "Backoff", partial(Backoff, base_s=60.0))
    made = fresh_consul.register_many(CHECKS)
    cluster = make_cluster(address=fresh_consul.address)
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: Check.objects.count() == CHECKS + 1)
        fresh_consul.set_catalog_checks(made[:5], "critical")
        eventually(lambda: open_alerts() == ids(made[:5]))
        fresh_consul.stop_server(0)
        eventually(lambda: state.exclude(error="").exists())
        fresh_consul.start_server(0)
        fresh_consul.set_catalog_checks(made[5:8], "critical")
        fresh_consul.set_catalog_checks(made[:1], "passing")
        # Nobody sees these any more; one of them was told as failing.
        for node, check_id in (made[1], made[10]):
            fresh_consul.deregister_catalog(node, check_id)
        with measured("Consul away for long: what changed was told"):
            eventually(lambda: open_alerts() == ids(made[2:8]), WAIT_S)
            gone = Check.objects.filter(status="gone")
            eventually(lambda: gone.count() == 2, WAIT_S)
    assert set(gone.values_list("check_id", flat=True)) == ids([made[1], made[10]])
    assert Alert.objects.get(check_ref__check_id=made[1][1]).resolved_at is not None
    assert Alert.objects.count() == 8


def test_the_leader_is_killed(trio: LocalCluster) -> None:
    made = trio.register_many(CHECKS)
    leader = trio.leader()
    assert leader is not None
    follower = next(number for number in range(3) if number != leader)
    cluster = make_cluster(address=trio.addresses[follower])
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: Check.objects.count() == CHECKS + 3)
        trio.kill_server(leader)
        trio.wait_ready()
        with measured("the leader killed: what failed as soon as there was another was told"):
            for one in made[:5]:
                fail_through(trio, follower, *one)
            eventually(lambda: ids(made[:5]) <= open_alerts(), WAIT_S)
        # The dead server's own check is failing too, for it is.
        eventually(lambda: "serfHealth" in open_alerts(), WAIT_S)
    assert not Check.objects.filter(status="gone").exists()


@pytest.mark.usefixtures("impatient")
def test_a_frozen_consul_is_shown_as_silent_and_caught_up_with(fresh_consul: LocalCluster) -> None:
    made = fresh_consul.register_many(CHECKS)
    cluster = make_cluster(address=fresh_consul.address)
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: Check.objects.count() == CHECKS + 1)
        fresh_consul.freeze_server(0)
        eventually(lambda: state.exclude(error="").exists(), WAIT_S)
        said = verdict(state.get(), Counts(total=CHECKS, passing=CHECKS), timezone.now())
        assert said.status != "passing"
        assert said.sentence.startswith("No answer for")
        fresh_consul.thaw_server(0)
        fresh_consul.set_catalog_checks(made[:5], "critical")
        with measured("Consul frozen and thawed: what failed was told"):
            eventually(lambda: open_alerts() == ids(made[:5]), WAIT_S)
            eventually(lambda: state.filter(error="").exists(), WAIT_S)
    assert not Check.objects.filter(status="gone").exists()


def _stall(proxy: Proxy) -> None:
    proxy.stall()


def _cut(proxy: Proxy) -> None:
    proxy.cut()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("break_it", [_stall, _cut], ids=["packets dropped", "connections reset"])
def test_the_network_to_consul_is_cut(
    consul: LocalCluster, break_it: Callable[[Proxy], None], request: pytest.FixtureRequest
) -> None:
    prefix = f"net-{request.node.callspec.indices['break_it']}"
    made = consul.register_many(CHECKS, prefix=prefix)
    with Proxy(consul.servers[0].ports.api) as network:
        cluster: Cluster = make_cluster(address=network.url)
        state = ClusterState.objects.filter(pk=cluster.pk)
        with RunningLoop(f"checks:{cluster.pk}"):
            eventually(lambda: ids(made) <= set(Check.objects.values_list("check_id", flat=True)))
            break_it(network)
            consul.set_catalog_checks(made[:5], "critical")
            # What was open before carries nothing, ever: only the deadline tells.
            with measured(f"the network cut ({prefix}): noticed"):
                eventually(lambda: state.exclude(error="").exists(), WAIT_S)
            assert not open_alerts() & ids(made)
            network.heal()
            with measured(f"the network cut ({prefix}): what failed meanwhile was told"):
                eventually(lambda: ids(made[:5]) <= open_alerts(), WAIT_S)
    assert not Check.objects.filter(status="gone", check_id__in=ids(made)).exists()

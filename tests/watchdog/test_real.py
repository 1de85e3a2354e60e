"""Real loops, real Consul, real receivers: what goes wrong is told, and so is its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from consulops.alerts.models import Delivery
from consulops.clusters import loops as clusters
from consulops.health import watcher
from consulops.lab.cluster import LocalCluster
from consulops.notifiers.models import Notifier
from consulops.watchdog import judgement, loops, services
from consulops.watchdog.models import Watchdog
from tests.alerts.factories import TEST, fail, make_cluster, make_notifier, make_route
from tests.looping import RunningLoop
from tests.receivers import Answer, WebhookReceiver
from tests.waiting import eventually
from tests.watchdog.things import open_alerts, said

pytestmark = [pytest.mark.consul, pytest.mark.django_db(transaction=True)]

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything happens several times as fast as in the product."""
    monkeypatch.setattr(loops, "PACE_S", 0.2)
    monkeypatch.setattr(clusters, "PACE_S", 0.3)
    monkeypatch.setattr(clusters, "SLOW_S", 0.5)
    monkeypatch.setattr(clusters, "REWRITE", timedelta(seconds=1))
    monkeypatch.setattr(watcher, "FAILING_WAIT_S", 0.5)
    monkeypatch.setattr(judgement, "PROBE_FRESH", timedelta(seconds=3))
    monkeypatch.setattr(judgement, "PATIENCE", timedelta(seconds=0.5))
    services.save_settings(TEST, {"unreachable_after_s": 15})
    Watchdog.objects.update(unreachable_after_s=4, delivery_after_s=1)


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


def run(running: ExitStack, *keys: str) -> None:
    for key in keys:
        running.enter_context(RunningLoop(key))


def told(hook: WebhookReceiver) -> tuple[str, str]:
    message = hook.next(WAIT_S).json()
    return message["reason"], message["alerts"][0]["check"]


def test_a_dead_cluster_is_told_and_so_is_its_return(
    fresh_consul: LocalCluster, hook: WebhookReceiver
) -> None:
    cluster = make_cluster(address=fresh_consul.address)
    make_route(make_notifier(url=hook.url), match={"check": "consulops:.*"})
    with ExitStack() as running:
        run(running, f"checks:{cluster.pk}", f"probe:{cluster.pk}", "watchdog", "courier")
        eventually(lambda: said().get("dc1 unreachable") == "passing", WAIT_S)
        fresh_consul.kill_server(0)
        assert told(hook) == ("opened", "consulops:unreachable")
        assert open_alerts() == {"consulops:unreachable"}
        fresh_consul.start_server(0)
        assert told(hook) == ("resolved", "consulops:unreachable")
        eventually(lambda: said()["dc1 watcher"] == "passing", WAIT_S)
    assert len(hook.requests) == 2


def test_servers_are_lost_one_after_the_other(consul_binary: Path) -> None:
    with LocalCluster(consul_binary, servers=3) as consul, ExitStack() as running:
        cluster = make_cluster(address=consul.address)
        run(running, f"checks:{cluster.pk}", f"probe:{cluster.pk}", "watchdog")
        eventually(lambda: said().get("dc1 tolerance") == "passing", WAIT_S)
        consul.kill_server(2)
        eventually(lambda: "consulops:tolerance" in open_alerts(), WAIT_S)
        consul.kill_server(1)
        eventually(lambda: "consulops:leader" in open_alerts(), WAIT_S)
        assert "consulops:unreachable" not in open_alerts()
        # Our watcher cannot do better without a leader: that is no alert of its own.
        assert said()["dc1 watcher"] == "passing"
        consul.start_server(1, wait=False)
        consul.start_server(2)
        eventually(lambda: not open_alerts(), WAIT_S)


def test_a_notifier_that_fails_is_told_by_another(hook: WebhookReceiver) -> None:
    with WebhookReceiver() as broken, ExitStack() as running:
        broken.answer = Answer(500)
        failing = make_notifier("failing", broken.url)
        make_route(failing, match={"service": "web"})
        make_route(make_notifier("other", hook.url), "ours", match={"check": "consulops:.*"})
        run(running, "watchdog", "courier")
        fail(make_cluster())
        assert told(hook) == ("opened", f"consulops:notifier:{failing.pk}")
        broken.answer = Answer(200)
        Delivery.objects.filter(notifier=failing).update(
            next_attempt_at=Notifier.objects.get(pk=failing.pk).created_at
        )
        assert told(hook) == ("resolved", f"consulops:notifier:{failing.pk}")

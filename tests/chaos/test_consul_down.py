"""Consul dies and comes back: nothing is called gone or well only because nobody said otherwise."""

from __future__ import annotations

import pytest

from consulops.alerts.models import Alert
from consulops.clusters.models import ClusterState
from consulops.health.models import Check, Transition
from consulops.lab.cluster import LocalCluster
from tests.alerts.factories import make_cluster
from tests.looping import RunningLoop
from tests.waiting import eventually

pytestmark = [pytest.mark.consul, pytest.mark.django_db(transaction=True)]

CHECKS = 20


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
        eventually(lambda: Check.objects.filter(status="critical").count() == 7)
        eventually(lambda: state.filter(error="").exists())
    assert not Check.objects.filter(status="gone").exists()
    assert Alert.objects.filter(resolved_at__isnull=True).count() == 7
    history = Transition.objects.filter(check_ref__service__startswith="bulk")
    assert history.filter(status="critical").count() == 8
    assert list(history.exclude(status="critical").values_list("check_ref__check_id")) == [
        (made[0][1],)
    ]

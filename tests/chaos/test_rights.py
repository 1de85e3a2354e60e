"""The token is deleted or loses its rights while we watch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consulops.accounts.audit import Actor
from consulops.alerts.models import Alert
from consulops.clusters.models import ClusterState
from consulops.clusters.services import save_cluster
from consulops.health.models import Check
from consulops.lab.cluster import LocalCluster
from tests.looping import RunningLoop
from tests.waiting import eventually

pytestmark = [pytest.mark.consul, pytest.mark.django_db(transaction=True)]

RULES = 'node_prefix "" { policy = "read" } service_prefix "" { policy = "read" }'
CHECKS = 10


@pytest.fixture
def guarded(consul_binary: Path) -> Iterator[LocalCluster]:
    with LocalCluster(consul_binary, acl=True) as cluster:
        yield cluster


@pytest.mark.parametrize("loss", ["its policy says nothing any more", "it is deleted"])
def test_without_rights_nothing_is_gone(guarded: LocalCluster, loss: str) -> None:
    made = guarded.register_many(CHECKS)
    policy: dict[str, Any] = guarded.call("PUT", "acl/policy", {"Name": "watch", "Rules": RULES})
    token = guarded.call("PUT", "acl/token", {"Policies": [{"ID": policy["ID"]}]})
    values = {"address": guarded.address, "token": token["SecretID"]}
    cluster = save_cluster(Actor.named("test"), "dc1", values).cluster
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: Check.objects.count() == CHECKS + 1)
        guarded.set_catalog_checks(made[:3], "critical")
        eventually(lambda: Alert.objects.count() == 3)
        if loss == "it is deleted":
            guarded.call("DELETE", f"acl/token/{token['AccessorID']}")
        else:
            guarded.call("PUT", f"acl/policy/{policy['ID']}", {"Name": "watch", "Rules": ""})
        # Something happens that makes Consul answer.
        guarded.set_catalog_checks(made[3:4], "critical")
        eventually(lambda: state.exclude(error="").exists())
        assert "token" in state.get().error
    states = list(Check.objects.values_list("status", flat=True))
    assert (states.count("critical"), states.count("gone")) == (3, 0)
    assert Alert.objects.filter(resolved_at__isnull=True).count() == 3

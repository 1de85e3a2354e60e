"""Every write to clusters: by people, by `apply`, and by the loops that watch them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.probe import Probe
from consulops.core import postgres
from consulops.core.crypto import WrongKey
from consulops.live.services import publish

SECRETS = ("token", "client_key")
SETTINGS = (
    "name",
    "address",
    "datacenter",
    *SECRETS,
    "ca_certificate",
    "client_certificate",
    "verify_tls",
    "colour",
    "read_only",
    "enabled",
)
# The audit says of these that they changed, not how: secret, or too long to read there.
_HIDDEN = frozenset({*SECRETS, "ca_certificate", "client_certificate"})
# With another of these we may be talking to another Consul: what the last one said is void.
_WHERE = {"address", "datacenter"}
_FORGOTTEN: dict[str, Any] = {
    "answered_at": None,
    "error": "",
    "probed_at": None,
    "datacenter": "",
    "version": "",
    "leader": "",
    "peers": [],
    "failure_tolerance": None,
}


class Saved(NamedTuple):
    """What a save did: the cluster, whether it is new, and the settings that changed."""

    cluster: Cluster
    created: bool
    changed: list[str]


def save_cluster(actor: Actor, name: str, values: Mapping[str, object]) -> Saved:
    """Creates the cluster of this name or changes it; settings not in `values` stay as they are.

    Raises ValidationError, with the messages by setting, and then nothing has changed.
    """
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().filter(name=name).first()
        if cluster is None:
            return create_cluster(actor, {"name": name, **values})
        return _write(actor, cluster, values)


def create_cluster(actor: Actor, values: Mapping[str, object]) -> Saved:
    """Makes a new cluster. Raises ValidationError, also when the name is taken."""
    return _write(actor, Cluster(), values)


def update_cluster(actor: Actor, pk: int, values: Mapping[str, object]) -> Saved:
    """Changes the settings in `values`. Raises ValidationError and Cluster.DoesNotExist."""
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=pk)
        return _write(actor, cluster, values)


def delete_cluster(actor: Actor, pk: int) -> None:
    """Removes a cluster with its checks, history and alerts. Raises Cluster.DoesNotExist."""
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=pk)
        record(actor, "cluster.deleted", cluster, {"address": cluster.address})
        cluster.delete()
        _tell()


def saw_answer(cluster_id: int, at: datetime) -> None:
    """The check watcher got an answer; whatever was wrong with the cluster is over."""
    ClusterState.objects.filter(pk=cluster_id).update(answered_at=at, error="")


def saw_error(cluster_id: int, text: str, at: datetime) -> None:
    """A loop got no usable answer: the text says why and what to do."""
    ClusterState.objects.filter(pk=cluster_id).update(error=text[:2000], error_at=at)
    publish("clusters")


def saw_event(cluster_id: int, at: datetime) -> None:
    """A check of the cluster changed its status."""
    ClusterState.objects.filter(pk=cluster_id).update(event_at=at)


def saw_probe(cluster_id: int, probe: Probe) -> None:
    """The probe learned who leads, who votes, and how many more may fail."""
    ClusterState.objects.filter(pk=cluster_id).update(
        probed_at=probe.at,
        datacenter=probe.datacenter,
        version=probe.version,
        leader=probe.leader,
        peers=list(probe.peers),
        failure_tolerance=probe.failure_tolerance,
    )
    publish("clusters")


def _write(actor: Actor, cluster: Cluster, values: Mapping[str, object]) -> Saved:
    """Validates and saves, records what changed, and wakes the supervisors and the pages."""
    created = cluster.pk is None
    if unknown := sorted(set(values) - set(SETTINGS)):
        raise ValidationError(dict.fromkeys(unknown, "A cluster has no such setting."))
    before = _present(cluster, values)
    for name, value in values.items():
        setattr(cluster, name, value)
    # A secret that stays is not read: it may be one that no key opens any more.
    cluster.full_clean(exclude=[name for name in SECRETS if name not in values])
    changes = changed_fields(before, {name: getattr(cluster, name) for name in before}, _HIDDEN)
    if not created and not changes:
        return Saved(cluster, created, [])
    for name in changes.keys() & set(SECRETS):
        setattr(cluster, f"{name}_set_at", timezone.now() if values[name] else None)
    with transaction.atomic():
        cluster.save()
        if not created and _WHERE & set(changes):
            ClusterState.objects.filter(pk=cluster.pk).update(**_FORGOTTEN)
        action = "cluster.created" if created else "cluster.updated"
        record(actor, action, cluster, {"changed": changes})
        _tell()
    return Saved(cluster, created, list(changes))


def _present(cluster: Cluster, names: Iterable[str]) -> dict[str, object]:
    """The values before a change; None for a secret that no key opens, so that any is new."""
    values: dict[str, object] = {}
    for name in names:
        try:
            values[name] = getattr(cluster, name)
        except WrongKey:
            values[name] = None
    return values


def _tell() -> None:
    """Wakes the supervisors, which start or stop watching, and the open pages."""
    postgres.notify(postgres.LOOPS)
    publish("clusters")

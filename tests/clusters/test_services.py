"""Writing clusters: what is refused, what is recorded, and who is told."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import ANY

import pytest
import trustme
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import Settings

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry
from consulops.clusters import services
from consulops.clusters.models import Cluster, ClusterState
from consulops.clusters.probe import Probe
from consulops.core import postgres
from consulops.core.crypto import WrongKey
from consulops.health.models import Check
from tests.clusters.things import ADDRESS, TOKEN, known, make_check, make_cluster, make_healthy

ACTOR = Actor.named("apply")


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was notified, as channel and payload."""
    heard: list[tuple[str, str]] = []

    def notify(channel: str, payload: str = "") -> None:
        heard.append((channel, payload))

    monkeypatch.setattr(postgres, "notify", notify)
    return heard


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def pem(certificate: trustme.LeafCert) -> tuple[str, str]:
    """The certificate and its key."""
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return chain.decode(), certificate.private_key_pem.bytes().decode()


def refused(values: dict[str, Any], name: str = "dc1") -> dict[str, list[str]]:
    """The messages by setting; proves that nothing was written."""
    before = list(Cluster.objects.values_list())
    with pytest.raises(ValidationError) as error:
        services.save_cluster(ACTOR, name, {"address": ADDRESS} | values)
    assert [row[:3] for row in Cluster.objects.values_list()] == [row[:3] for row in before]
    assert not AuditEntry.objects.exists()
    return error.value.message_dict


def test_a_new_cluster_comes_with_its_state_and_rings(
    db: None, rung: list[tuple[str, str]]
) -> None:
    cluster, created, changed = services.save_cluster(
        ACTOR, "dc1", {"address": "HTTP://LocalHost:8500/", "datacenter": "DC1", "token": TOKEN}
    )
    assert created
    assert set(changed) == {"name", "address", "datacenter", "token"}
    assert (cluster.address, cluster.datacenter) == ("http://localhost:8500", "dc1")
    assert cluster.token_set_at is not None
    assert cluster.client_key_set_at is None
    assert cluster.state.answered_at is None
    assert (postgres.LOOPS, "") in rung
    assert (postgres.LIVE, "clusters") in rung


def test_the_same_again_changes_nothing(db: None, rung: list[tuple[str, str]]) -> None:
    values = {"address": "http://127.0.0.1:8500/", "token": TOKEN, "datacenter": "DC1"}
    services.save_cluster(ACTOR, "dc1", values)
    rung.clear()
    before = Cluster.objects.get().updated_at
    assert services.save_cluster(ACTOR, "dc1", values) == (ANY, False, [])
    assert Cluster.objects.get().updated_at == before
    assert AuditEntry.objects.count() == 1
    assert rung == []


def test_settings_that_are_not_given_stay(db: None) -> None:
    made = make_cluster(token=TOKEN, datacenter="dc1")
    saved = services.save_cluster(ACTOR, "dc1", {"colour": "red"})
    assert (saved.cluster.pk, saved.created, saved.changed) == (made.pk, False, ["colour"])
    cluster = Cluster.objects.get()
    assert (cluster.token, cluster.datacenter, cluster.colour) == (TOKEN, "dc1", "red")


def test_another_address_forgets_what_the_old_one_said(db: None) -> None:
    cluster = make_healthy()
    services.update_cluster(ACTOR, cluster.pk, {"colour": "red"})
    assert ClusterState.objects.get().leader
    services.update_cluster(ACTOR, cluster.pk, {"address": "http://10.0.0.9:8500"})
    state = ClusterState.objects.get()
    assert (state.leader, state.peers, state.answered_at) == ("", [], None)


def test_secrets_never_reach_the_audit(db: None, ca: trustme.CA) -> None:
    certificate, key = pem(ca.issue_cert("consul.example"))
    values = {
        "address": ADDRESS,
        "token": TOKEN,
        "client_certificate": certificate,
        "client_key": key,
    }
    services.save_cluster(ACTOR, "dc1", values)
    services.save_cluster(ACTOR, "dc1", {"token": f"{TOKEN}-2"})
    services.save_cluster(ACTOR, "dc1", {"token": "", "colour": "red"})
    services.delete_cluster(ACTOR, Cluster.objects.get().pk)
    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.action for entry in entries] == [
        "cluster.created",
        "cluster.updated",
        "cluster.updated",
        "cluster.deleted",
    ]
    text = json.dumps([entry.detail for entry in entries])
    assert TOKEN not in text
    assert "PRIVATE KEY" not in text
    assert entries[1].detail == {"changed": {"token": "changed"}}
    assert entries[2].detail["changed"]["colour"] == {"from": "grey", "to": "red"}


def test_a_secret_that_is_removed_is_no_longer_set(db: None) -> None:
    services.save_cluster(ACTOR, "dc1", {"address": ADDRESS, "token": TOKEN})
    services.save_cluster(ACTOR, "dc1", {"token": ""})
    cluster = Cluster.objects.get()
    assert (cluster.token, cluster.token_set_at) == ("", None)


def test_deleting_takes_everything_and_rings(db: None, rung: list[tuple[str, str]]) -> None:
    gone, stays = make_cluster("gone"), make_cluster("stays")
    make_check(gone), make_check(stays)
    services.delete_cluster(ACTOR, gone.pk)
    assert [cluster.name for cluster in Cluster.objects.all()] == ["stays"]
    assert Check.objects.count() == ClusterState.objects.count() == 1
    assert (postgres.LOOPS, "") in rung


def test_a_name_that_is_taken(db: None) -> None:
    make_cluster("dc1")
    with pytest.raises(ValidationError, match="already exists"):
        services.create_cluster(ACTOR, {"name": "dc1", "address": ADDRESS})
    other = make_cluster("dc2")
    with pytest.raises(ValidationError, match="already exists"):
        services.update_cluster(ACTOR, other.pk, {"name": "dc1"})


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("address", "", "blank"),
        ("address", "127.0.0.1:8500", "no scheme"),
        ("address", "ftp://127.0.0.1", "scheme"),
        ("address", "http://127.0.0.1:8500/ui/", "has a path"),
        ("address", "http://admin:pw@127.0.0.1:8500", "user name"),
        ("address", "http://127.0.0.1:8500?token=x", "query"),
        ("address", "http://127.0.0.1:99999", "port"),
        ("address", "http://a b:8500", "spaces"),
        ("datacenter", "dc 1", "letters, digits"),
        ("datacenter", "dc1/../x", "letters, digits"),
        ("token", "two words", "space"),
        ("token", "line\r\nX-Injected: 1", "line break"),
        ("token", "tökén", "character"),
        ("ca_certificate", "not a certificate", "not a certificate in PEM form"),
        ("ca_certificate", "-----BEGIN PRIVATE KEY-----", "private key"),
        ("client_key", "not a key", "not a private key in PEM form"),
        ("colour", "pink", "not a valid choice"),
        ("verify_tls", "perhaps", "True or False"),
        ("colur", "red", "no such setting"),
    ],
)
def test_what_is_refused(db: None, setting: str, value: str, message: str) -> None:
    assert message in " ".join(refused({setting: value})[setting])


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "<script>", "ü", "a\n", "x" * 61])
def test_names_that_are_refused(db: None, name: str) -> None:
    assert refused({}, name)["name"]


def test_all_that_is_wrong_is_said_at_once(db: None) -> None:
    assert set(refused({"address": "x", "datacenter": "a b", "token": "a b"})) == {
        "address",
        "datacenter",
        "token",
    }


def test_a_client_certificate_with_its_key_is_taken(db: None, ca: trustme.CA) -> None:
    certificate, key = pem(ca.issue_cert("consul.example"))
    ca_pem = ca.cert_pem.bytes().decode()
    values = {"client_certificate": certificate, "client_key": key, "ca_certificate": ca_pem}
    saved = services.save_cluster(ACTOR, "dc1", {"address": ADDRESS} | values)
    connection = saved.cluster.connection()
    assert (connection.client_certificate, connection.client_key) == (certificate, key)
    assert connection.ca_certificate == ca_pem


def test_another_certificates_key_is_refused(db: None, ca: trustme.CA) -> None:
    certificate, _ = pem(ca.issue_cert("a.example"))
    _, key = pem(ca.issue_cert("b.example"))
    errors = refused({"client_certificate": certificate, "client_key": key})
    assert "does not belong" in errors["client_key"][0]


def test_half_a_pair_is_refused(db: None, ca: trustme.CA) -> None:
    certificate, key = pem(ca.issue_cert("a.example"))
    assert "needs its private key" in refused({"client_certificate": certificate})["client_key"][0]
    assert "needs its cert" in refused({"client_key": key})["client_certificate"][0]


def test_a_key_with_a_passphrase_is_refused(db: None, ca: trustme.CA) -> None:
    certificate, key = pem(ca.issue_cert("a.example"))
    locked = load_pem_private_key(key.encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    errors = refused({"client_certificate": certificate, "client_key": locked.decode()})
    assert "passphrase" in errors["client_key"][0]


def test_with_a_lost_key_other_settings_can_be_changed_and_the_token_replaced(
    db: None, settings: Settings
) -> None:
    pk = make_cluster(token=TOKEN).pk
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    services.update_cluster(ACTOR, pk, {"colour": "red"})
    with pytest.raises(WrongKey):
        Cluster.objects.get(pk=pk).connection()
    saved = services.update_cluster(ACTOR, pk, {"token": "new"})
    assert saved.changed == ["token"]
    assert Cluster.objects.get(pk=pk).connection().token == "new"


def test_with_a_lost_key_the_client_key_is_asked_for_again(
    db: None, settings: Settings, ca: trustme.CA
) -> None:
    certificate, key = pem(ca.issue_cert("a.example"))
    pk = make_cluster(client_certificate=certificate, client_key=key).pk
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(ValidationError, match="enter it again"):
        services.update_cluster(ACTOR, pk, {"colour": "red"})
    services.update_cluster(ACTOR, pk, {"client_key": key})
    assert Cluster.objects.get(pk=pk).connection().client_key == key


def test_an_answer_ends_an_error(db: None) -> None:
    cluster, now = make_cluster(), timezone.now()
    services.saw_error(cluster.pk, "refused", now)
    assert ClusterState.objects.get().error == "refused"
    services.saw_answer(cluster.pk, now)
    services.saw_event(cluster.pk, now)
    state = ClusterState.objects.get()
    assert (state.error, state.error_at, state.answered_at, state.event_at) == ("", now, now, now)


def test_a_probe_leaves_what_the_watcher_wrote(db: None, rung: list[tuple[str, str]]) -> None:
    cluster, now = make_cluster(), timezone.now()
    known(cluster, error="kept")
    services.saw_probe(cluster.pk, Probe(now, "dc1", "1.8.7", "a:1", ("a:1", "b:1"), 0))
    state = ClusterState.objects.get()
    assert (state.error, state.answered_at) == ("kept", None)
    assert (state.datacenter, state.version, state.leader) == ("dc1", "1.8.7", "a:1")
    assert (state.peers, state.failure_tolerance, state.probed_at) == (["a:1", "b:1"], 0, now)
    assert rung == [(postgres.LIVE, "clusters")]

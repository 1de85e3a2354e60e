"""The page that imports consul-alerts' configuration: a preview, and the button."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Route
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.consulapi.errors import PermissionDenied
from consulops.lab.cluster import LocalCluster
from consulops.notifiers.models import Notifier
from consulops.silences.models import Silence
from tests.alerts.factories import make_cluster
from tests.consul_alerts.trees import KEYS, SECRET, put

pytestmark = [pytest.mark.django_db, pytest.mark.consul]


@pytest.fixture
def cluster(consul: LocalCluster) -> Cluster:
    """A cluster whose store holds everything that consul-alerts may be told."""
    consul.call("DELETE", "kv/consul-alerts?recurse=true")
    put(consul, KEYS)
    return save_cluster(Actor.named("test"), "dc1", {"address": consul.address}).cluster


def page(cluster: Cluster) -> str:
    return f"/clusters/{cluster.pk}/import-consul-alerts/"


def digest_in(text: str) -> str:
    (found,) = re.findall(r'name="digest" value="([0-9a-f]{64})"', text)
    return str(found)


def test_the_preview_shows_what_would_be_made_and_changes_nothing(
    as_admin: Client, cluster: Cluster
) -> None:
    before = AuditEntry.objects.count()
    text = as_admin.get(page(cluster)).content.decode()
    assert "consul-alerts dc1 slack" in text
    assert "service web-1 to ops" in text
    assert "Cannot be carried over" in text
    assert "notifiers/email/template" in text
    assert SECRET not in text
    assert not Notifier.objects.exists()
    assert AuditEntry.objects.count() == before


def test_the_button_does_what_was_shown(as_admin: Client, cluster: Cluster) -> None:
    shown = as_admin.get(page(cluster)).content.decode()
    answer = as_admin.post(page(cluster), {"digest": digest_in(shown)}, follow=True)
    assert answer.redirect_chain == [(f"/clusters/{cluster.pk}/", 302)]
    assert b"is imported" in answer.content
    assert Route.objects.exists()
    assert Silence.objects.without_end().count() == 9
    assert AuditEntry.objects.get(action="consul-alerts.imported").actor_name == "ada"
    again = as_admin.get(page(cluster)).content.decode()
    assert "All of it has been imported before." in again
    assert "unchanged" in again


def test_what_changed_since_the_preview_is_shown_first(
    as_admin: Client, cluster: Cluster, consul: LocalCluster
) -> None:
    shown = as_admin.get(page(cluster)).content.decode()
    put(consul, {"checks/change-threshold": "77"})
    answer = as_admin.post(page(cluster), {"digest": digest_in(shown)})
    text = answer.content.decode()
    assert "Nothing was imported" in text
    assert "1 min" in text
    assert not Route.objects.exists()
    assert digest_in(text) != digest_in(shown)


def test_a_post_without_a_preview_changes_nothing(as_admin: Client, cluster: Cluster) -> None:
    assert b"Nothing was imported" in as_admin.post(page(cluster)).content
    assert not Route.objects.exists()


def test_nothing_to_import(as_admin: Client, cluster: Cluster, consul: LocalCluster) -> None:
    consul.call("DELETE", "kv/consul-alerts?recurse=true")
    text = as_admin.get(page(cluster)).content.decode()
    assert "has no key under consul-alerts/config/" in text
    assert "Try again" in text


def test_a_consul_that_does_not_answer_is_said_in_place(as_admin: Client) -> None:
    answer = as_admin.get(page(make_cluster()))
    assert answer.status_code == 200
    assert b"Nobody listens there" in answer.content


def test_a_token_without_the_right_is_told_which_it_needs(
    as_admin: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionDenied("Permission denied.", cluster="dc1", call="GET /v1/kv/", advice="")

    monkeypatch.setattr("consulops.consulapi.Client.read", refuse)
    text = as_admin.get(page(cluster)).content.decode()
    assert "key_prefix &quot;consul-alerts/config/&quot; { policy = &quot;read&quot; }" in text


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_admins(as_operator: Client, stranger: Client, cluster: Cluster, method: str) -> None:
    assert getattr(as_operator, method)(page(cluster)).status_code == 403
    assert getattr(stranger, method)(page(cluster)).status_code == 302
    assert not Route.objects.exists()


def test_the_clusters_page_leads_there(
    as_admin: Client, as_viewer: Client, cluster: Cluster
) -> None:
    assert page(cluster).encode() in as_admin.get(f"/clusters/{cluster.pk}/").content
    assert page(cluster).encode() not in as_viewer.get(f"/clusters/{cluster.pk}/").content


def test_a_cluster_that_is_not_there(as_admin: Client) -> None:
    assert as_admin.get("/clusters/999/import-consul-alerts/").status_code == 404

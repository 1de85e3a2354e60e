"""The form of a cluster that exists."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from consulops.accounts.models import AuditEntry
from consulops.clusters.models import Cluster
from tests.clusters.things import ADDRESS, TOKEN, make_cluster

FILLED = {"name": "dc1", "address": ADDRESS, "colour": "grey", "verify_tls": "on", "enabled": "on"}


@pytest.fixture
def cluster(db: None) -> Cluster:
    return make_cluster(token=TOKEN, token_set_at=timezone.now())


def page(cluster: Cluster) -> str:
    return f"/clusters/{cluster.pk}/edit/"


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_open_it(
    request: pytest.FixtureRequest, who: str, status: int, cluster: Cluster
) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.get(page(cluster)).status_code == status
    if status != 200:
        assert client.post(page(cluster), FILLED | {"colour": "red"}).status_code == status
        assert Cluster.objects.get().colour == "grey"


def test_there_is_no_such_cluster(as_admin: Client) -> None:
    assert as_admin.get("/clusters/999/edit/").status_code == 404


def test_the_secret_is_not_shown_but_when_it_was_set(as_admin: Client, cluster: Cluster) -> None:
    shown = as_admin.get(page(cluster)).content.decode()
    assert TOKEN not in shown
    assert f"Set on {timezone.now():%Y-%m-%d}" in shown
    assert 'name="clear_token"' in shown
    assert 'name="clear_client_key"' not in shown


def test_an_empty_secret_is_kept(as_admin: Client, cluster: Cluster) -> None:
    as_admin.post(page(cluster), FILLED | {"token": "", "colour": "blue"})
    saved = Cluster.objects.get()
    assert (saved.token, saved.colour) == (TOKEN, "blue")
    changed = AuditEntry.objects.get(action="cluster.updated").detail["changed"]
    assert changed == {"colour": {"from": "grey", "to": "blue"}}


def test_a_new_secret_replaces_it(as_admin: Client, cluster: Cluster) -> None:
    as_admin.post(page(cluster), FILLED | {"token": "another"})
    assert Cluster.objects.get().token == "another"


def test_a_tick_removes_it(as_admin: Client, cluster: Cluster) -> None:
    as_admin.post(page(cluster), FILLED | {"clear_token": "on"})
    saved = Cluster.objects.get()
    assert (saved.token, saved.token_set_at) == ("", None)


def test_a_box_without_its_tick_switches_off(as_admin: Client, cluster: Cluster) -> None:
    as_admin.post(page(cluster), {"name": "dc1", "address": ADDRESS, "colour": "grey"})
    saved = Cluster.objects.get()
    assert (saved.enabled, saved.verify_tls) == (False, False)


def test_another_clusters_name(as_admin: Client, cluster: Cluster) -> None:
    make_cluster("dc2")
    response = as_admin.post(page(cluster), FILLED | {"name": "dc2"})
    assert "already exists" in " ".join(response.context["form"].errors["name"])
    # The heading still names the cluster as it is saved.
    assert "Edit dc1" in response.content.decode()


def test_with_a_lost_key_the_page_works_and_takes_a_new_token(
    as_admin: Client, cluster: Cluster, settings: Settings
) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert as_admin.get(page(cluster)).status_code == 200
    assert as_admin.post(page(cluster), FILLED | {"colour": "red"}).status_code == 302
    assert as_admin.post(page(cluster), FILLED | {"token": "another"}).status_code == 302
    assert Cluster.objects.get().token == "another"

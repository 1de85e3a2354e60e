"""The form of a new cluster."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from consulops.accounts.models import AuditEntry
from consulops.clusters.models import Cluster
from tests.clusters.things import ADDRESS, TOKEN, make_cluster

PAGE = "/clusters/new/"
FILLED = {
    "name": "dc1",
    "address": ADDRESS,
    "token": TOKEN,
    "colour": "red",
    "verify_tls": "on",
    "enabled": "on",
}


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.get(PAGE).status_code == status
    if status != 200:
        assert client.post(PAGE, FILLED).status_code == status
        assert not Cluster.objects.exists()


def test_it_adds_a_cluster(as_admin: Client) -> None:
    response = as_admin.post(PAGE, FILLED)
    cluster = Cluster.objects.get()
    assert response.headers["Location"] == f"/clusters/{cluster.pk}/"
    assert (cluster.name, cluster.address, cluster.token) == ("dc1", ADDRESS, TOKEN)
    assert (cluster.colour, cluster.enabled, cluster.read_only) == ("red", True, False)
    entry = AuditEntry.objects.get(action="cluster.created")
    assert (entry.actor_name, entry.object_name) == ("ada", "dc1")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "a b", "letters, digits"),
        ("name", "dc0", "already exists"),
        ("address", "http://u:p@h:8500", "user name"),
        ("address", "http://h:8500/ui", "has a path"),
        ("datacenter", "a b", "letters, digits"),
        ("ca_certificate", "hello", "not a certificate in PEM form"),
        ("client_key", "hello", "not a private key in PEM form"),
        ("token", "a b", "holds a space"),
    ],
)
def test_errors_stand_beside_their_field(
    as_admin: Client, field: str, value: str, message: str
) -> None:
    make_cluster("dc0")
    response = as_admin.post(PAGE, FILLED | {field: value})
    assert response.status_code == 200
    assert message in " ".join(response.context["form"].errors[field])
    assert "Nothing was saved" in response.content.decode()
    assert Cluster.objects.count() == 1


def test_secrets_are_not_sent_back_and_are_asked_for_again(as_admin: Client) -> None:
    key = "-----BEGIN PRIVATE KEY----- half"
    response = as_admin.post(PAGE, FILLED | {"address": "", "client_key": key})
    page = response.content.decode()
    assert TOKEN not in page
    assert key not in page
    assert "Enter it again" in " ".join(response.context["form"].errors["token"])


def test_what_was_typed_is_escaped(as_admin: Client) -> None:
    page = as_admin.post(PAGE, FILLED | {"name": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in page


def test_nothing_at_all(as_admin: Client) -> None:
    empty: dict[str, Any] = {}
    page = as_admin.post(PAGE, empty)
    assert page.status_code == 200
    assert not Cluster.objects.exists()

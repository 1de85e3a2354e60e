"""The audit record: who, what, from where, and never a secret."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.accounts.models import AuditEntry, User
from consulops.clusters.models import Cluster


def test_entry_says_who_what_and_from_where(operator: User, rf: RequestFactory) -> None:
    request = rf.get("/", REMOTE_ADDR="192.0.2.7")
    request.user = operator
    cluster = Cluster.objects.create(name="dc1", address="http://127.0.0.1:8500")

    record(Actor.of(request), "cluster.updated", cluster, {"changed": {"name": 1}})

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.actor_name, entry.address) == (operator, "otto", "192.0.2.7")
    assert (entry.action, entry.object_type) == ("cluster.updated", "cluster")
    assert (entry.object_id, entry.object_name) == (str(cluster.pk), "dc1")
    assert entry.detail == {"changed": {"name": 1}}


def test_forwarded_header_is_not_believed(viewer: User, rf: RequestFactory) -> None:
    request = rf.get("/", REMOTE_ADDR="192.0.2.7", headers={"x-forwarded-for": "203.0.113.9"})
    request.user = viewer
    assert Actor.of(request).address == "192.0.2.7"


@pytest.mark.parametrize("address", ["", "unix:", "not an address"])
def test_request_without_an_address_is_recorded_all_the_same(
    db: None, rf: RequestFactory, address: str
) -> None:
    request = rf.get("/", REMOTE_ADDR=address)
    request.user = AnonymousUser()
    assert record(Actor.of(request), "user.failed_login").address is None


def test_command_is_recorded_by_its_name(db: None) -> None:
    entry = record(Actor.named("apply"), "cluster.created")
    assert (entry.actor, entry.actor_name, entry.object_type) == (None, "apply", "")


def test_entry_stays_when_the_person_is_gone(viewer: User) -> None:
    entry = record(Actor(viewer, "vera"), "user.login")
    viewer.delete()
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_name) == (None, "vera")


def test_changed_fields_names_old_and_new_but_no_secret() -> None:
    changes = changed_fields(
        {"name": "a", "token": "old-secret", "same": 1, "left": 2},
        {"name": "b", "token": "new-secret", "same": 1, "came": 3},
        {"token"},
    )
    assert changes == {
        "name": {"from": "a", "to": "b"},
        "token": "changed",
        "left": {"from": 2, "to": None},
        "came": {"from": None, "to": 3},
    }


def test_encrypted_fields_are_redacted_even_when_the_caller_forgets(db: None) -> None:
    cluster = Cluster.objects.create(name="dc1", address="http://127.0.0.1:8500")
    detail = {
        "changed": {"token": {"from": "s3cret", "to": "s4cret"}, "name": {"from": "a", "to": "b"}},
        "all": [{"client_key": "s3cret"}, {"password": "s3cret"}],
    }
    entry = record(Actor.named("apply"), "cluster.updated", cluster, detail)
    entry.refresh_from_db()
    assert "cret" not in str(entry.detail)
    assert entry.detail["changed"]["token"] == "changed"
    assert entry.detail["changed"]["name"] == {"from": "a", "to": "b"}


def test_dates_in_the_detail_are_kept(viewer: User) -> None:
    entry = record(Actor.named("apply"), "user.updated", viewer, {"since": viewer.date_joined})
    entry.refresh_from_db()
    assert entry.detail["since"].startswith(f"{viewer.date_joined:%Y-%m-%dT%H:%M}")

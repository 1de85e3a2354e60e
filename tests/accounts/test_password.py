"""Changing one's own password."""

from __future__ import annotations

import pytest
from django.test import Client

from consulops.accounts.models import AuditEntry, Role, User
from tests.people import client_of, make_user

OLD, NEW = "correct horse battery", "staple wrong donkey"


@pytest.fixture
def vera(db: None) -> User:
    return make_user("vera", Role.VIEWER, OLD)


def change(client: Client, old: str, new: str, again: str | None = None) -> int:
    body = {"old_password": old, "new_password1": new, "new_password2": again or new}
    return client.post("/password/", body).status_code


def test_stranger_must_sign_in(stranger: Client) -> None:
    assert stranger.get("/password/")["Location"] == "/login/?next=/password/"


@pytest.mark.parametrize("who", ["as_viewer", "as_operator", "as_admin"])
def test_everybody_has_the_page(request: pytest.FixtureRequest, who: str) -> None:
    assert request.getfixturevalue(who).get("/password/").status_code == 200


def test_change_keeps_this_session_and_ends_the_others(vera: User) -> None:
    here, elsewhere = client_of(vera), client_of(vera)
    assert change(here, OLD, NEW) == 302
    assert here.get("/password/").status_code == 200
    assert elsewhere.get("/password/").status_code == 302
    vera.refresh_from_db()
    assert vera.check_password(NEW)


def test_change_is_recorded_without_the_password(vera: User) -> None:
    change(client_of(vera), OLD, NEW)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.object_name) == ("user.password_changed", vera, "vera")
    assert entry.detail == {}


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("wrong wrong wrong", NEW, NEW),
        (OLD, NEW, NEW + "x"),
        (OLD, "short", "short"),
        (OLD, "password123", "password123"),
        (OLD, "veraveravera", "veraveravera"),
    ],
    ids=["wrong old one", "typed differently", "short", "common", "like the name"],
)
def test_refused(vera: User, old: str, new: str, again: str) -> None:
    if new == "veraveravera":
        User.objects.filter(pk=vera.pk).update(username="veraveraver")
    assert change(client_of(vera), old, new, again) == 200
    vera.refresh_from_db()
    assert vera.check_password(OLD)
    assert not AuditEntry.objects.exists()

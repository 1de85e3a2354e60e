"""The users' pages: an admin's only."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import AuditEntry, Role, User
from tests.people import client_of, make_user

GIVEN = "staple wrong donkey"
# Session, person, what the frame shows, and one for the page.
BUDGET = 10


def secret_of(page: str) -> str:
    found = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert found
    return found[1]


@pytest.mark.parametrize("address", ["/users/", "/users/new/", "/users/{}/"])
@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_open_it(
    request: pytest.FixtureRequest, db: None, who: str, status: int, address: str
) -> None:
    person = make_user("nora", Role.VIEWER)
    client: Client = request.getfixturevalue(who)
    assert client.get(address.format(person.pk)).status_code == status


@pytest.mark.parametrize("who", ["as_operator", "as_viewer", "stranger"])
def test_who_may_not_change_anything(request: pytest.FixtureRequest, db: None, who: str) -> None:
    person = make_user("nora", Role.VIEWER)
    client: Client = request.getfixturevalue(who)
    before = User.objects.count()
    client.post("/users/new/", {"username": "eve", "role": "admin", "password": GIVEN})
    client.post(f"/users/{person.pk}/", {"role": "admin", "is_active": "on"})
    client.post(f"/users/{person.pk}/", {"reset": "1", "new_password": GIVEN})
    person.refresh_from_db()
    assert (User.objects.count(), person.role) == (before, Role.VIEWER)
    assert not person.has_usable_password()


def test_list_in_few_queries_however_many(
    as_admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make_user(f"nora{number}", Role.VIEWER)
    with django_assert_max_num_queries(BUDGET):
        page = as_admin.get("/users/").content.decode()
    assert all(f"nora{number}" in page for number in range(20))


def test_list_as_a_file(as_admin: Client, viewer: User) -> None:
    response = as_admin.get("/users/?format=csv")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert "vera,viewer,True" in text
    assert "password" not in text


def test_new_user_with_a_made_up_password(as_admin: Client, admin: User) -> None:
    response = as_admin.post("/users/new/", {"username": "nora", "role": "operator"})
    secret = secret_of(response.content.decode())
    assert "no-store" in response["Cache-Control"]
    nora = User.objects.get(username="nora")
    assert (nora.role, nora.check_password(secret)) == (Role.OPERATOR, True)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.object_name) == ("user.created", admin, "nora")
    assert secret not in str(AuditEntry.objects.values())
    assert secret not in as_admin.get("/users/").content.decode()
    assert all(secret not in cookie.value for cookie in as_admin.cookies.values())


def test_new_user_with_a_given_password(as_admin: Client) -> None:
    body = {"username": "nora", "role": "viewer", "password": GIVEN}
    assert GIVEN not in as_admin.post("/users/new/", body).content.decode()
    assert User.objects.get(username="nora").check_password(GIVEN)


@pytest.mark.parametrize(
    ("name", "role", "password", "says"),
    [
        ("vera", "viewer", "", "This name is taken"),
        ("VERA", "viewer", "", "This name is taken"),
        ("", "viewer", "", "required"),
        ("no spaces", "viewer", "", "valid username"),
        ("<script>", "viewer", "", "valid username"),
        ("x" * 151, "viewer", "", "at most 150"),
        ("nora", "root", "", "Select a valid choice"),
        ("nora", "viewer", "short", "too short"),
        ("nora", "viewer", "password123", "too common"),
    ],
)
def test_new_user_refused(
    as_admin: Client, viewer: User, name: str, role: str, password: str, says: str
) -> None:
    body = {"username": name, "role": role, "password": password}
    page = as_admin.post("/users/new/", body).content.decode()
    assert says in page
    assert User.objects.count() == 2
    assert f'value="{password}"' not in page or not password


def test_edit(as_admin: Client, viewer: User) -> None:
    response = as_admin.post(f"/users/{viewer.pk}/", {"role": "operator", "is_active": "on"})
    assert response["Location"] == "/users/"
    viewer.refresh_from_db()
    assert (viewer.role, viewer.is_active) == (Role.OPERATOR, True)


def test_switching_off_ends_the_persons_sessions(as_admin: Client, viewer: User) -> None:
    theirs = client_of(viewer)
    as_admin.post(f"/users/{viewer.pk}/", {"role": "viewer"})
    assert theirs.get("/password/").status_code == 302


def test_reset_ends_the_persons_sessions_and_shows_the_password_once(
    as_admin: Client, viewer: User
) -> None:
    theirs = client_of(viewer)
    page = as_admin.post(f"/users/{viewer.pk}/", {"reset": "1"}).content.decode()
    viewer.refresh_from_db()
    assert viewer.check_password(secret_of(page))
    assert theirs.get("/password/").status_code == 302
    assert AuditEntry.objects.get().action == "user.password_reset"


def test_reset_refuses_a_bad_password(as_admin: Client, viewer: User) -> None:
    body = {"reset": "1", "new_password": "short"}
    assert "too short" in as_admin.post(f"/users/{viewer.pk}/", body).content.decode()


def test_own_page_offers_nothing_and_takes_nothing(as_admin: Client, admin: User) -> None:
    make_user("alan", Role.ADMIN)
    address = f"/users/{admin.pk}/"
    assert "This is you" in as_admin.get(address).content.decode()
    assert "your own role" in as_admin.post(address, {"role": "viewer"}).content.decode()
    assert "password page" in as_admin.post(address, {"reset": "1"}).content.decode()
    admin.refresh_from_db()
    assert admin.is_admin


def test_nobody_of_that_number(as_admin: Client) -> None:
    for number in ("999999", "9" * 40):
        assert as_admin.get(f"/users/{number}/").status_code == 404

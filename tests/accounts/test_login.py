"""Signing in and out."""

from __future__ import annotations

from typing import cast

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from consulops.accounts.models import AuditEntry, Role, User
from tests.people import make_user

PASSWORD = "correct horse battery"
LOGIN = "/login/"


@pytest.fixture
def vera(db: None) -> User:
    return make_user("vera", Role.VIEWER, PASSWORD)


def sign_in(
    client: Client, name: str = "vera", password: str = PASSWORD, **more: str
) -> HttpResponse:
    return cast(HttpResponse, client.post(LOGIN, {"username": name, "password": password, **more}))


def test_stranger_sees_the_form_and_nothing_else(stranger: Client) -> None:
    assert "Sign in" in stranger.get(LOGIN).content.decode()
    response = stranger.get("/users/?x=1")
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/users/%3Fx%3D1")


def test_right_password_opens_the_door_and_is_recorded(stranger: Client, vera: User) -> None:
    response = sign_in(stranger)
    assert (response.status_code, response["Location"]) == (302, reverse("overview"))
    assert stranger.session[SESSION_KEY] == str(vera.pk)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.address) == ("user.signed_in", vera, "127.0.0.1")


def test_session_key_changes_at_sign_in(stranger: Client, vera: User) -> None:
    session = stranger.session
    session["planted"] = True
    session.save()
    planted = str(session.session_key)
    stranger.cookies[settings.SESSION_COOKIE_NAME] = planted
    sign_in(stranger)
    assert stranger.cookies[settings.SESSION_COOKIE_NAME].value != planted
    assert not Session.objects.filter(session_key=planted).exists()


def test_wrong_name_wrong_password_and_switched_off_look_the_same(
    stranger: Client, vera: User
) -> None:
    off = make_user("olga", Role.VIEWER, PASSWORD)
    User.objects.filter(pk=off.pk).update(is_active=False)

    def page(name: str, password: str) -> str:
        text = sign_in(stranger, name, password).content.decode().replace(name, "NAME")
        return "\n".join(line for line in text.splitlines() if "csrf" not in line.lower())

    assert page("vera", "wrong wrong") == page("nemo", "wrong wrong") == page("olga", PASSWORD)


def test_failure_is_recorded_without_what_was_typed(stranger: Client, vera: User) -> None:
    sign_in(stranger, "vera", "my other password")
    sign_in(stranger, "hunter2hunter2", "")
    sign_in(stranger, "hunter2hunter2", "x")
    known, unknown = AuditEntry.objects.order_by("id")
    assert (known.action, known.object_name) == ("user.sign_in_failed", "vera")
    assert (unknown.action, unknown.object_name) == ("user.sign_in_failed", "")
    assert (known.actor, known.actor_name) == (None, "anonymous")
    assert unknown.detail == {"name": "unknown"}


@pytest.mark.parametrize("wish", ["/audit/?actor=vera", "/users/"])
def test_next_leads_on(stranger: Client, vera: User, wish: str) -> None:
    assert sign_in(stranger, next=wish)["Location"] == wish


@pytest.mark.parametrize(
    "wish",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "///evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
        "http://testserver@evil.example/",
    ],
)
def test_next_never_leads_away(stranger: Client, vera: User, wish: str) -> None:
    assert "evil" not in stranger.get(LOGIN, {"next": wish}).content.decode()
    assert sign_in(stranger, next=wish)["Location"] == reverse("overview")
    assert stranger.get(LOGIN, {"next": wish})["Location"] == reverse("overview")


def test_signed_in_person_is_led_on(as_viewer: Client) -> None:
    assert as_viewer.get(LOGIN)["Location"] == reverse("overview")


def test_sign_out_takes_a_post(as_viewer: Client, viewer: User) -> None:
    assert as_viewer.get("/logout/").status_code == 405
    assert as_viewer.get("/password/").status_code == 200
    assert as_viewer.post("/logout/")["Location"] == LOGIN
    assert as_viewer.get("/password/").status_code == 302
    assert AuditEntry.objects.get().action == "user.signed_out"
    assert not Session.objects.exists()


def test_sign_in_and_out_need_the_csrf_token(vera: User) -> None:
    careful = Client(enforce_csrf_checks=True)
    assert sign_in(careful).status_code == 403
    careful.force_login(vera)
    assert careful.post("/logout/").status_code == 403
    assert SESSION_KEY in careful.session


def test_switched_off_person_is_out_at_the_next_click(as_viewer: Client, viewer: User) -> None:
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    assert as_viewer.get("/password/")["Location"].startswith(LOGIN)


def test_login_page_is_never_cached(stranger: Client) -> None:
    assert "no-store" in stranger.get(LOGIN)["Cache-Control"]

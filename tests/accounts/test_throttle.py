"""Five wrong passwords close the door for a quarter of an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import SESSION_KEY
from django.test import AsyncClient, Client
from django.utils import timezone

from consulops.accounts.models import AuditEntry, Role, User
from tests.people import make_user

PASSWORD = "correct horse battery"
RIGHT = {"username": "vera", "password": PASSWORD}
WRONG = {"username": "vera", "password": "wrong wrong wrong"}


@pytest.fixture
def vera(db: None) -> User:
    return make_user("vera", Role.VIEWER, PASSWORD)


def close_the_door(client: Client) -> None:
    answers = [client.post("/login/", WRONG).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]


def test_closed_door_says_when_it_opens(stranger: Client, vera: User) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        close_the_door(stranger)
        clock.shift(timedelta(minutes=5))
        response = stranger.post("/login/", RIGHT)
        assert (response.status_code, response["Retry-After"]) == (429, "600")
        assert "Wait 10 minutes" in response.content.decode()
        assert SESSION_KEY not in stranger.session


def test_knocking_does_not_keep_it_closed(stranger: Client, vera: User) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        close_the_door(stranger)
        clock.shift(timedelta(minutes=14))
        assert stranger.post("/login/", WRONG).status_code == 429
        clock.shift(timedelta(minutes=1, seconds=1))
        assert stranger.post("/login/", RIGHT).status_code == 302


def test_success_starts_the_count_again(stranger: Client, vera: User) -> None:
    for _ in range(4):
        stranger.post("/login/", WRONG)
    assert stranger.post("/login/", RIGHT).status_code == 302
    assert Client().post("/login/", WRONG).status_code == 200


def test_others_still_get_in(stranger: Client, vera: User) -> None:
    make_user("otto", Role.OPERATOR, PASSWORD)
    close_the_door(stranger)
    assert Client().post("/login/", {**RIGHT, "username": "otto"}).status_code == 302
    assert Client().post("/login/", RIGHT, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_another_browser_at_the_same_address_is_no_way_round(stranger: Client, vera: User) -> None:
    close_the_door(stranger)
    response = Client(headers={"user-agent": "other"}).post("/login/", RIGHT)
    assert response.status_code == 429


def test_a_name_that_nobody_has_is_throttled_alike(stranger: Client) -> None:
    wrong = {**WRONG, "username": "nemo"}
    answers = [stranger.post("/login/", wrong).status_code for _ in range(6)]
    assert answers == [200, 200, 200, 200, 429, 429]


def test_lockout_is_recorded_once(stranger: Client, vera: User) -> None:
    close_the_door(stranger)
    for _ in range(3):
        stranger.post("/login/", RIGHT)
    actions = list(AuditEntry.objects.order_by("id").values_list("action", "object_name"))
    assert actions == [("user.sign_in_failed", "vera")] * 4 + [("user.locked_out", "vera")]


def test_same_page_under_an_asynchronous_server(async_client: AsyncClient, vera: User) -> None:
    post = async_to_sync(async_client.post)
    answers = [post("/login/", WRONG) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429, 429]
    assert all("Wait 15 minutes" in answer.content.decode() for answer in answers[4:])


def test_throttle_keeps_no_password(stranger: Client, vera: User) -> None:
    from axes.models import AccessAttempt

    close_the_door(stranger)
    kept = str(list(AccessAttempt.objects.values()))
    assert "wrong wrong" not in kept

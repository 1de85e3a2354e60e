"""The buttons that acknowledge alerts, and take it back."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from consulops.accounts.models import AuditEntry, User
from consulops.alerts.models import Alert
from tests.alerts.factories import fail, make_cluster, mend, observation, see
from tests.alerts.pages import HTMX, notes, nothing_changes
from tests.people import client_of

pytestmark = pytest.mark.django_db

MANY = "/alerts/acknowledge/"


def one() -> str:
    return f"/alerts/{Alert.objects.get().pk}/acknowledge/"


def back() -> str:
    return f"/alerts/{Alert.objects.get().pk}/unacknowledge/"


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 403), ("stranger", 302)])
def test_only_operators_may(request: pytest.FixtureRequest, who: str, status: int) -> None:
    fail(make_cluster())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for address in (one(), back(), MANY):
            assert client.post(address, {"alert": Alert.objects.get().pk}).status_code == status


def test_a_link_changes_nothing(as_operator: Client) -> None:
    fail(make_cluster())
    with nothing_changes():
        for address in (one(), back(), MANY):
            assert as_operator.get(address).status_code == 405


def test_a_post_without_its_token_changes_nothing(operator: User) -> None:
    fail(make_cluster())
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client_of(operator).cookies
    with nothing_changes():
        for address in (one(), back(), MANY):
            assert careful.post(address).status_code == 403


def test_one_with_a_comment(as_operator: Client, operator: User) -> None:
    fail(make_cluster())
    answer = as_operator.post(one(), {"comment": "on it"})
    alert = Alert.objects.get()
    assert answer["Location"] == f"/alerts/{alert.pk}/"
    assert (alert.acknowledged_by, alert.comment) == (operator, "on it")
    assert notes(answer) == ["Acknowledged."]
    entry = AuditEntry.objects.get(action="alert.acknowledged")
    assert (entry.actor, entry.detail) == (operator, {"comment": "on it"})


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/alerts/?state=all&q=web", "/alerts/?state=all&q=web"),
        ("https://elsewhere.example/", None),
        ("//elsewhere.example/", None),
        ("javascript:alert(1)", None),
    ],
)
def test_back_to_where_it_was_pressed(as_operator: Client, asked: str, given: str | None) -> None:
    fail(make_cluster())
    answer = as_operator.post(one(), {"next": asked})
    assert answer["Location"] == given or f"/alerts/{Alert.objects.get().pk}/"


def test_htmx_gets_the_note_and_asks_the_page_to_look_again(as_operator: Client) -> None:
    fail(make_cluster())
    answer = as_operator.post(one(), headers=HTMX)
    assert answer.status_code == 200
    assert json.loads(answer["HX-Trigger"]) == {"live:resync": {}}
    page = answer.content.decode()
    assert "Acknowledged." in page
    assert "toast-note" in page
    assert "<html" not in page
    # It was shown, so the next page does not show it again.
    assert "Acknowledged." not in as_operator.get("/alerts/").content.decode()


def test_somebody_was_faster(as_operator: Client, as_admin: Client, operator: User) -> None:
    fail(make_cluster())
    as_operator.post(one(), {"comment": "mine"})
    answer = as_admin.post(one(), {"comment": "no, mine"})
    assert notes(answer) == ["It is over, or was acknowledged already."]
    alert = Alert.objects.get()
    assert (alert.acknowledged_by, alert.comment) == (operator, "mine")


def test_a_comment_that_is_too_long(as_operator: Client) -> None:
    fail(make_cluster())
    with nothing_changes():
        answer = as_operator.post(one(), {"comment": "x" * 1001})
    assert "at most 1000 characters" in notes(answer)[0]


def test_many_with_one_comment(as_operator: Client) -> None:
    cluster = make_cluster()
    see(cluster, *(observation(f"c{number}") for number in range(4)))
    mend(cluster, "c3")
    keys = [str(alert.pk) for alert in Alert.objects.exclude(check_ref__check_id="c0")]
    answer = as_operator.post(
        MANY, {"alert": keys, "comment": "the switch", "next": "/alerts/?q=c"}
    )
    assert answer["Location"] == "/alerts/?q=c"
    taken = Alert.objects.acknowledged().order_by("check_ref__check_id")
    assert [(alert.check_ref.check_id, alert.comment) for alert in taken] == [
        ("c1", "the switch"),
        ("c2", "the switch"),
    ]
    assert notes(answer) == ["2 of 3 alerts acknowledged. The others are over, or were already."]


@pytest.mark.parametrize("keys", [[], ["x"], ["-1"], ["9" * 30], ["²"], ["0"]])
def test_many_without_any(as_operator: Client, keys: list[str]) -> None:
    with nothing_changes():
        answer = as_operator.post(MANY, {"alert": keys})
    assert answer["Location"] == "/alerts/"
    assert notes(answer) == ["No alert is ticked."]


def test_taking_it_back(as_operator: Client) -> None:
    fail(make_cluster())
    as_operator.post(one(), {"comment": "mine"})
    answer = as_operator.post(back())
    alert = Alert.objects.get()
    assert answer["Location"] == f"/alerts/{alert.pk}/"
    assert (alert.acknowledged_at, alert.acknowledged_by, alert.comment) == (None, None, "")
    assert AuditEntry.objects.filter(action="alert.unacknowledged").exists()


def test_one_that_is_not_there(as_operator: Client) -> None:
    assert as_operator.post("/alerts/1/acknowledge/").status_code == 404
    assert as_operator.post("/alerts/1/unacknowledge/").status_code == 404

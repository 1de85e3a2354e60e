"""What people do with the alerts of the list and of a page: comment, silence, take back."""

from __future__ import annotations

import pytest
from django.test import Client

from consulops.accounts.models import AuditEntry, User
from consulops.alerts import services
from consulops.alerts.models import Alert, Comment
from consulops.silences.models import Silence
from tests.alerts.factories import (
    TEST,
    fail,
    make_cluster,
    make_notifier,
    make_route,
    mend,
    observation,
    see,
)
from tests.alerts.pages import ODD, notes, nothing_changes, text
from tests.people import client_of

pytestmark = pytest.mark.django_db

MANY = ["/alerts/unacknowledge/", "/alerts/silence/", "/alerts/comment/"]


def keys() -> list[str]:
    return [str(pk) for pk in Alert.objects.order_by("pk").values_list("pk", flat=True)]


def comment_on(alert: Alert) -> str:
    return f"/alerts/{alert.pk}/comment/"


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 403), ("stranger", 302)])
def test_only_operators_may(request: pytest.FixtureRequest, who: str, status: int) -> None:
    fail(make_cluster())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for address in [*MANY, comment_on(Alert.objects.get())]:
            answer = client.post(address, {"alert": keys(), "comment": "x"})
            assert answer.status_code == status
    assert not Silence.objects.exists()


def test_a_link_or_a_forged_post_changes_nothing(as_operator: Client, operator: User) -> None:
    fail(make_cluster())
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client_of(operator).cookies
    with nothing_changes():
        for address in [*MANY, comment_on(Alert.objects.get())]:
            assert as_operator.get(address).status_code == 405
            assert careful.post(address, {"alert": keys(), "comment": "x"}).status_code == 403


@pytest.mark.parametrize("address", MANY)
@pytest.mark.parametrize("ticked", [[], ["x"], ["9" * 30], ["0"]])
def test_none_is_ticked(as_operator: Client, address: str, ticked: list[str]) -> None:
    with nothing_changes():
        answer = as_operator.post(address, {"alert": ticked, "comment": "x"})
    assert answer["Location"] == "/alerts/"
    assert "is ticked" in notes(answer)[0]


def test_a_comment_is_read_on_the_page(as_operator: Client, operator: User) -> None:
    fail(make_cluster())
    alert = Alert.objects.get()
    answer = as_operator.post(comment_on(alert), {"comment": "The disk is full.\nAda knows."})
    assert (answer["Location"], notes(answer)) == (f"/alerts/{alert.pk}/", ["Written down."])
    comment = Comment.objects.get()
    assert (comment.author, comment.author_name) == (operator, "otto")
    page = text(as_operator, f"/alerts/{alert.pk}/")
    assert "The disk is full.<br>Ada knows." in page
    entry = AuditEntry.objects.get(action="alert.commented")
    assert (entry.actor, entry.detail) == (operator, {"comment": "The disk is full.\nAda knows."})


def test_a_comment_stays_when_its_author_goes(as_operator: Client, operator: User) -> None:
    fail(make_cluster())
    alert = Alert.objects.get()
    as_operator.post(comment_on(alert), {"comment": "a word"})
    operator.delete()
    assert Comment.objects.get().author_name == "otto"


@pytest.mark.parametrize("words", ["", "   ", "x" * 4001])
def test_no_comment_and_too_long_a_one(as_operator: Client, words: str) -> None:
    fail(make_cluster())
    with nothing_changes():
        answer = as_operator.post(comment_on(Alert.objects.get()), {"comment": words})
    assert notes(answer)[0].startswith("Not commented: ")
    assert not Comment.objects.exists()


def test_one_comment_for_many_and_also_for_what_is_over(as_operator: Client) -> None:
    cluster = make_cluster()
    for check in ("web", "db"):
        fail(cluster, check)
    mend(cluster, "db")
    answer = as_operator.post("/alerts/comment/", {"alert": keys(), "comment": "the switch"})
    assert notes(answer) == ["Written down for 2 alerts."]
    assert Comment.objects.count() == 2


def test_many_are_silenced_for_an_hour_each_for_itself(as_operator: Client) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    see(cluster, *(observation(check, node="n.1") for check in ("web", "db", "over")))
    mend(cluster, "over", node="n.1")
    answer = as_operator.post("/alerts/silence/", {"alert": keys(), "comment": "moving"})
    assert notes(answer) == ["2 alerts silenced for an hour."]
    silences = list(Silence.objects.order_by("pk"))
    assert [one.match["check"] for one in silences] == ["web", "db"]
    assert all(one.comment == "moving" for one in silences)
    ends = [one.ends_at for one in silences if one.ends_at]
    assert [
        (end - one.starts_at).total_seconds() for end, one in zip(ends, silences, strict=True)
    ] == [
        3600,
        3600,
    ]
    # A dot in a name is no pattern.
    assert silences[0].match["node"] == r"n\.1"
    page = text(as_operator, "/alerts/", state="silenced")
    assert page.count("Silenced</span>") == 3
    assert f"silence #{silences[0].pk} by otto: moving" in page


def test_a_silence_without_words_names_the_alert(as_operator: Client) -> None:
    fail(make_cluster(), node=ODD)
    as_operator.post("/alerts/silence/", {"alert": keys()})
    assert Silence.objects.get().comment == f"Alert {Alert.objects.get().pk}: Check of web"


def test_what_is_over_is_not_silenced(as_operator: Client) -> None:
    cluster = make_cluster()
    fail(cluster)
    mend(cluster)
    answer = as_operator.post("/alerts/silence/", {"alert": keys(), "comment": "x"})
    assert notes(answer) == ["No open alert is ticked."]


def test_many_acknowledgements_are_taken_back(as_operator: Client) -> None:
    cluster = make_cluster()
    for check in ("web", "db", "free"):
        fail(cluster, check)
    taken = Alert.objects.exclude(check_ref__check_id="free")
    services.acknowledge(TEST, list(taken), "on it")
    answer = as_operator.post("/alerts/unacknowledge/", {"alert": keys()})
    assert notes(answer) == ["2 alerts no longer acknowledged."]
    assert not Alert.objects.acknowledged().exists()
    again = as_operator.post("/alerts/unacknowledge/", {"alert": keys()})
    assert notes(again)[-1] == "None of them is open and acknowledged."

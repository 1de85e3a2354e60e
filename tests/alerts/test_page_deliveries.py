"""The list of messages, the page of one, and the buttons that send one again or give up."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import AuditEntry, User
from consulops.alerts import outbox
from consulops.alerts.models import Attempt, Delivery
from consulops.core.paging import SIZE
from tests.alerts.factories import (
    fail,
    make_cluster,
    make_notifier,
    make_route,
    mend,
    observation,
    see,
)
from tests.alerts.pages import HTMX, ODD, notes, nothing_changes, text
from tests.people import client_of

pytestmark = pytest.mark.django_db

PAGE = "/deliveries/"
RETRY_ALL = "/deliveries/retry/"
BUDGET = 12


def shown(client: Client, **query: str) -> list[str]:
    """The checks that the messages of the page are about."""
    return [row.about["check"] for row in client.get(PAGE, query).context["page"].rows]


def page_of(delivery: Delivery | None = None) -> str:
    return f"/deliveries/{(delivery or Delivery.objects.get()).pk}/"


def one(state: str = "failed", **more: Any) -> Delivery:
    """A message about one check, in this state."""
    make_route(make_notifier("ops-hook"), "everything")
    fail(make_cluster())
    Delivery.objects.update(state=state, **more)
    return Delivery.objects.get()


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_them(request: pytest.FixtureRequest, who: str, status: int) -> None:
    delivery = one()
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(PAGE).status_code == status
        assert client.get(PAGE, {"format": "csv"}).status_code == status
        assert client.get(page_of(delivery)).status_code == status


def test_one_that_is_not_there(as_operator: Client) -> None:
    assert as_operator.get("/deliveries/1/").status_code == 404
    assert as_operator.post("/deliveries/1/retry/").status_code == 404
    assert as_operator.post("/deliveries/1/give-up/").status_code == 404


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 403), ("stranger", 302)])
def test_only_operators_may_act(request: pytest.FixtureRequest, who: str, status: int) -> None:
    delivery = one()
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for address in (f"{page_of(delivery)}retry/", f"{page_of(delivery)}give-up/", RETRY_ALL):
            assert client.post(address).status_code == status


def test_a_link_or_a_forged_post_changes_nothing(as_operator: Client, operator: User) -> None:
    delivery = one()
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client_of(operator).cookies
    with nothing_changes():
        for address in (f"{page_of(delivery)}retry/", f"{page_of(delivery)}give-up/", RETRY_ALL):
            assert as_operator.get(address).status_code == 405
            assert careful.post(address).status_code == 403


def test_viewers_have_no_buttons(as_viewer: Client, as_operator: Client) -> None:
    delivery = one()
    assert "retry/" not in text(as_viewer, PAGE) + text(as_viewer, page_of(delivery))
    assert RETRY_ALL in text(as_operator, PAGE)
    assert f"{page_of(delivery)}retry/" in text(as_operator, page_of(delivery))


def test_newest_first_with_filters(as_viewer: Client) -> None:
    one_cluster, two = make_cluster("dc1"), make_cluster("dc2")
    make_route(make_notifier("hook"), match={"service": "web"})
    make_route(make_notifier("mail"), "the rest")
    fail(one_cluster, "web")
    see(two, observation("db", node="n/2", name="Replication LAG"))
    mend(one_cluster, "web")
    Delivery.objects.filter(reason="resolved").update(state="sent")
    Delivery.objects.filter(notifier_name="mail").update(state="failed", error="503 from the relay")
    assert shown(as_viewer) == ["web", "db", "web"]
    assert shown(as_viewer, notifier="mail") == ["db"]
    assert shown(as_viewer, reason="resolved") == ["web"]
    assert shown(as_viewer, cluster="dc2") == ["db"]
    assert shown(as_viewer, state="failed") == ["db"]
    assert shown(as_viewer, state="waiting", reason="opened") == ["web"]
    assert shown(as_viewer, q="lag n/2") == ["db"]
    assert shown(as_viewer, q="relay") == ["db"]
    assert shown(as_viewer, q="everything") == ["web", "web"]
    key = str(Delivery.objects.get(notifier_name="mail").key)
    assert shown(as_viewer, q=key) == ["db"]
    assert shown(as_viewer, state="nonsense", reason="nonsense") == ["web", "db", "web"]
    assert "No message matches" in text(as_viewer, PAGE, notifier="none\x00", q="%")
    chips = {chip["value"]: chip["count"] for chip in as_viewer.get(PAGE).context["states"]}
    assert chips == {"": None, "waiting": 1, "failed": 1, "sent": None}


def test_pages_by_key(as_viewer: Client) -> None:
    make_route(make_notifier())
    see(make_cluster(), *(observation(f"c{number:03}") for number in range(SIZE + 10)))
    first = as_viewer.get(PAGE).context["page"]
    rest = shown(as_viewer, after=first.following)
    assert (len(first.rows), len(rest)) == (SIZE, 10)
    assert not {row.about["check"] for row in first.rows} & set(rest)


def test_what_one_says_and_how_it_fared(as_viewer: Client) -> None:
    delivery = one("retrying", attempt_count=2, error="503 busy")
    now = timezone.now()
    Attempt.objects.create(delivery=delivery, at=now, duration_ms=31, ok=False, answer="503 busy")
    page = text(as_viewer, page_of(delivery))
    for part in [
        "ops-hook",
        "Trying again",
        "503 busy",
        "31 ms",
        str(delivery.key),
        "Check of web",
    ]:
        assert part in page
    assert "&quot;reason&quot;: &quot;opened&quot;" in page


@pytest.mark.parametrize("state", ["failed", "retrying", "queued"])
def test_retry_now(as_operator: Client, operator: User, state: str) -> None:
    later = timezone.now() + timedelta(hours=3)
    delivery = one(state, next_attempt_at=later, attempt_count=4, error="503")
    answer = as_operator.post(f"{page_of(delivery)}retry/")
    assert (answer["Location"], notes(answer)) == (page_of(delivery), ["It is sent again now."])
    fresh = Delivery.objects.get()
    assert (fresh.state, fresh.finished_at, fresh.attempt_count) == ("queued", None, 4)
    assert fresh.key == delivery.key
    # The courier takes it.
    assert [due.delivery.pk for due in outbox.due([])] == [delivery.pk]
    entry = AuditEntry.objects.get(action="delivery.retried")
    assert (entry.actor, entry.detail) == (operator, {"state": state})


def test_what_was_sent_is_not_sent_again(as_operator: Client) -> None:
    delivery = one("sent")
    with nothing_changes():
        answer = as_operator.post(f"{page_of(delivery)}retry/")
    assert notes(answer) == ["It was sent already, or its notifier is gone."]
    assert "retry/" not in text(as_operator, page_of(delivery))


def test_what_has_no_notifier_any_more_is_not_sent_again(as_operator: Client) -> None:
    delivery = one("failed", notifier=None)
    as_operator.post(f"{page_of(delivery)}retry/")
    as_operator.post(RETRY_ALL)
    assert Delivery.objects.get().state == "failed"
    assert "retry/" not in text(as_operator, page_of(delivery))


def test_an_overtaken_message_warns_before_it_is_sent(as_operator: Client) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    Delivery.objects.update(state="failed")
    opened = Delivery.objects.get()
    mend(cluster)
    assert "newer news" not in text(as_operator, page_of(opened))
    Delivery.objects.exclude(pk=opened.pk).update(state="sent")
    assert "newer news" in text(as_operator, page_of(opened))
    # All at once leaves it out: nobody was warned of it alone.
    answer = as_operator.post(RETRY_ALL)
    assert notes(answer) == ["No failed message is worth sending again."]
    assert Delivery.objects.get(pk=opened.pk).state == "failed"


def test_all_failed_ones_of_a_filter(as_operator: Client, operator: User) -> None:
    cluster = make_cluster()
    make_route(make_notifier("hook"), match={"service": "web"}, continues=True)
    make_route(make_notifier("mail"), "the rest")
    for check in ("web", "db"):
        fail(cluster, check)
    Delivery.objects.update(state="failed", finished_at=timezone.now())
    page = text(as_operator, PAGE, notifier="mail")
    assert "Retry all 2 failed" in page
    assert f"{RETRY_ALL}?notifier=mail" in page
    answer = as_operator.post(f"{RETRY_ALL}?notifier=mail&q=web")
    assert notes(answer) == ["1 message is sent again."]
    assert answer["Location"] == "/deliveries/?q=web&notifier=mail"
    (row,) = Delivery.objects.filter(state="queued")
    assert (row.notifier_name, row.message["alerts"][0]["check"]) == ("mail", "web")
    entry = AuditEntry.objects.get(action="delivery.retried_all")
    assert (entry.actor, entry.detail) == (operator, {"count": 1, "notifiers": ["mail"]})


def test_giving_up(as_operator: Client, operator: User) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    delivery = Delivery.objects.get()
    Delivery.objects.update(state="retrying", error="503", attempt_count=3)
    mend(cluster)
    assert [due.delivery.pk for due in outbox.due([])] == [delivery.pk]
    answer = as_operator.post(f"{page_of(delivery)}give-up/")
    assert notes(answer) == ["It is not tried any more."]
    fresh = Delivery.objects.get(pk=delivery.pk)
    assert (fresh.state, fresh.error) == ("failed", "Given up by otto. 503")
    assert fresh.finished_at
    # What waited behind it goes out.
    assert [due.delivery.reason for due in outbox.due([])] == ["resolved"]
    assert AuditEntry.objects.get(action="delivery.given_up").detail == {"attempts": 3}
    again = as_operator.post(f"{page_of(delivery)}give-up/")
    assert notes(again)[-1] == "It does not wait any more."


def test_odd_names_are_escaped(as_operator: Client) -> None:
    make_route(make_notifier(ODD[:60]), ODD[:60])
    see(make_cluster(), observation(ODD, node=ODD, name=ODD, output=ODD))
    Delivery.objects.update(state="failed", error=ODD)
    delivery = Delivery.objects.get()
    for page in (text(as_operator, PAGE), text(as_operator, page_of(delivery))):
        assert "<script>alert" not in page


def test_a_test_message_has_no_alert(as_viewer: Client) -> None:
    delivery = one("sent")
    message = {**delivery.message, "alerts": []}
    Delivery.objects.update(message=message, reason="test", finished_at=timezone.now())
    delivery.alerts.clear()
    assert "a test" in text(as_viewer, PAGE)
    assert "or it was a test" in text(as_viewer, page_of(delivery))


def test_the_same_as_csv_and_json(as_viewer: Client) -> None:
    delivery = one("failed", error="503")
    (row,) = json.loads(as_viewer.get(PAGE, {"format": "json"}).getvalue())
    assert (row["key"], row["cluster"], row["state"]) == (str(delivery.key), "dc1", "failed")
    answer = as_viewer.get(PAGE, {"format": "csv", "state": "failed"})
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["error"], row["notifier"]) == ("503", "ops-hook")


def test_what_an_empty_list_says(as_viewer: Client) -> None:
    assert "No message yet" in text(as_viewer, PAGE)


def test_a_fragment_is_the_list_without_the_frame(as_viewer: Client) -> None:
    one()
    assert 'id="delivery-' in as_viewer.get(PAGE, headers=HTMX).content.decode()


def test_queries_do_not_grow(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_route(make_notifier())
    see(make_cluster(), *(observation(f"c{number}") for number in range(SIZE)))
    for delivery in Delivery.objects.all():
        Attempt.objects.create(delivery=delivery, at=timezone.now(), duration_ms=1, ok=True)
    with django_assert_max_num_queries(BUDGET):
        assert len(shown(as_operator)) == SIZE
    with django_assert_max_num_queries(BUDGET):
        text(as_operator, page_of(Delivery.objects.first()))

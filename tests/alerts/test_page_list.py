"""The list of alerts."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.audit import Actor
from consulops.accounts.models import User
from consulops.alerts import services
from consulops.alerts.models import Alert, Delivery
from consulops.alerts.told import Recipient
from consulops.core.paging import SIZE
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
from tests.alerts.pages import HTMX, ODD, nothing_changes, text

pytestmark = pytest.mark.django_db

PAGE = "/alerts/"
BUDGET = 12


def shown(client: Client, **query: str) -> list[str]:
    """The checks of the list's rows."""
    rows = client.get(PAGE, query).context["rows"]
    return [row.alert.check_ref.check_id for row in rows]


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    fail(make_cluster())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(PAGE).status_code == status
        assert client.get(PAGE, {"format": "csv"}).status_code == status


def test_viewers_have_no_actions(as_viewer: Client, as_operator: Client) -> None:
    fail(make_cluster())
    assert "acknowledge/" not in text(as_viewer, PAGE)
    assert 'type="checkbox"' not in text(as_viewer, PAGE)
    page = text(as_operator, PAGE)
    # Of the row (twice, also for htmx), and of what is ticked: take on, and take that back.
    assert page.count("acknowledge/") == 4
    assert page.count("csrfmiddlewaretoken") >= 3


def test_worst_first_then_newest(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "mild", "warning")
    for check in ("old", "new"):
        fail(cluster, check)
    Alert.objects.filter(check_ref__check_id="old").update(
        opened_at=timezone.now() - timedelta(hours=1)
    )
    assert shown(as_viewer) == ["new", "old", "mild"]


def test_each_chip_shows_its_alerts_and_counts_them(as_viewer: Client, operator: User) -> None:
    cluster = make_cluster()
    for check in ("open", "taken", "over"):
        fail(cluster, check)
    mend(cluster, "over")
    taken = Alert.objects.get(check_ref__check_id="taken")
    services.acknowledge(Actor(operator, "otto"), [taken], "on it")
    assert sorted(shown(as_viewer)) == ["open", "taken"]
    assert shown(as_viewer, state="acknowledged") == ["taken"]
    assert shown(as_viewer, state="resolved") == ["over"]
    assert sorted(shown(as_viewer, state="all")) == ["open", "over", "taken"]
    assert sorted(shown(as_viewer, state="nonsense")) == ["open", "taken"]
    assert shown(as_viewer, state="unacknowledged") == ["open"]
    chips = {chip["value"]: chip["count"] for chip in as_viewer.get(PAGE).context["chips"]}
    quiet = {"silenced": 0, "flapping": 0}
    assert chips == {
        "": 2,
        "unacknowledged": 1,
        "acknowledged": 1,
        "resolved": 1,
        "all": 3,
        **quiet,
    }
    page = text(as_viewer, PAGE)
    assert "otto" in page
    assert "on it" in page
    assert "was critical" in text(as_viewer, PAGE, state="resolved")


def test_filters(as_viewer: Client) -> None:
    one, two = make_cluster("dc1"), make_cluster("dc2")
    see(one, observation("web", node="n1"), observation("db", node="n2"))
    see(two, observation("cache", node="n1", name="Memory of the CACHE"))
    assert shown(as_viewer, cluster="dc2") == ["cache"]
    assert shown(as_viewer, service="db") == ["db"]
    assert sorted(shown(as_viewer, node="n1")) == ["cache", "web"]
    assert shown(as_viewer, q="memory n1") == ["cache"]
    assert shown(as_viewer, q="memory n2") == []
    assert shown(as_viewer, cluster="none") == []
    assert "No alert matches" in text(as_viewer, PAGE, q="none\x00")
    # A chosen service is seen, and its chip takes it away again.
    assert "Service db" in text(as_viewer, PAGE, service="db")


def test_pages_by_key(as_viewer: Client) -> None:
    see(make_cluster(), *(observation(f"c{number:03}") for number in range(SIZE + 30)))
    first = as_viewer.get(PAGE).context["page"]
    rest = shown(as_viewer, after=first.following)
    assert (len(first.rows), len(rest)) == (SIZE, 30)
    assert not {alert.check_ref.check_id for alert in first.rows} & set(rest)
    assert len(shown(as_viewer, after="broken")) == SIZE


def test_whom_each_was_told(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_route(make_notifier("ops-hook"), "only web", match={"service": "web"})
    for check in ("web", "db"):
        fail(cluster, check)
    page = text(as_viewer, PAGE)
    assert "ops-hook" in page
    assert "no route means it" in page
    Delivery.objects.update(state="failed")
    assert "not delivered" in text(as_viewer, PAGE)


def test_every_notifier_with_how_its_last_message_fares(as_viewer: Client) -> None:
    cluster = make_cluster()
    route = make_route(make_notifier("hook"))
    services.save_route(
        TEST, route.name, {}, [*route.notifiers.all(), make_notifier("mail")], route
    )
    fail(cluster)
    Delivery.objects.update(state="failed")
    fail(cluster, status="warning")
    Delivery.objects.filter(reason="changed").update(state="sent")
    (row,) = as_viewer.get(PAGE).context["rows"]
    assert row.told.recipients == (Recipient("hook", "sent"), Recipient("mail", "sent"))


def test_why_nobody_was_told_yet(as_viewer: Client) -> None:
    make_route(make_notifier(), wait_s=60)
    fail(make_cluster())
    page = text(as_viewer, PAGE)
    assert "Waiting" in page
    assert "critical must last 60 s before it counts" in page


def test_odd_names_are_escaped_and_linked(as_operator: Client) -> None:
    cluster = make_cluster()
    see(cluster, observation(ODD, node=ODD, name=ODD))
    alert = Alert.objects.get()
    alert.comment, alert.acknowledged_at = ODD, timezone.now()
    alert.save()
    page = text(as_operator, PAGE)
    assert "<script>alert" not in page
    assert "%3Cscript%3E" in page
    assert shown(as_operator, service=ODD, node=ODD) == [ODD]


def test_the_same_as_csv_and_json(as_viewer: Client) -> None:
    cluster = make_cluster()
    for check in ("web", "db"):
        fail(cluster, check)
    mend(cluster, "db")
    rows = json.loads(as_viewer.get(PAGE, {"format": "json"}).getvalue())
    assert [(row["check"], row["status"], row["resolved_at"]) for row in rows] == [
        ("web", "critical", None)
    ]
    answer = as_viewer.get(PAGE, {"format": "csv", "state": "all", "service": "db"})
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["check"], row["previous"], row["cluster"]) == ("db", "critical", "dc1")


def test_what_an_empty_list_says(as_viewer: Client) -> None:
    assert "Nothing is watched yet" in text(as_viewer, PAGE)
    make_cluster()
    assert "No open alert" in text(as_viewer, PAGE)
    assert "No such alert" in text(as_viewer, PAGE, state="resolved")


def test_a_fragment_is_the_list_without_the_frame(as_viewer: Client) -> None:
    fail(make_cluster())
    page = as_viewer.get(PAGE, headers=HTMX).content.decode()
    assert 'id="alert-' in page


def test_queries_do_not_grow_with_the_alerts(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    hook = make_notifier()
    for number in range(3):
        make_route(hook, f"route {number}", continues=True)
    see(make_cluster(), *(observation(f"c{number}") for number in range(SIZE)))
    with django_assert_max_num_queries(BUDGET):
        assert len(shown(as_operator)) == SIZE


def test_what_flaps_says_so(as_viewer: Client) -> None:
    cluster = make_cluster()
    for check in ("web", "db"):
        fail(cluster, check)
    now = timezone.now()
    flapping = Alert.objects.filter(check_ref__check_id="web")
    flapping.update(flapping_since=now, stable_at=now + timedelta(minutes=5))
    assert shown(as_viewer, state="flapping") == ["web"]
    assert "flapping</small>" in text(as_viewer, PAGE, state="flapping")
    assert "flapping</small>" in text(as_viewer, "/")


def test_by_status(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "web")
    fail(cluster, "db", "warning")
    assert shown(as_viewer, status="warning") == ["db"]

"""Every change of every check, and the search among them."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.core.paging import SIZE
from consulops.core.status import Status
from consulops.health import history
from consulops.health.models import Check, Source, Transition
from tests.alerts.pages import HTMX, nothing_changes, text
from tests.health.things import ODD, make_change, make_check, make_cluster

pytestmark = pytest.mark.django_db

PAGE = "/history/"
BUDGET = 10


def shown(client: Client, **query: str) -> list[str]:
    """The checks of the changes on the page."""
    rows = client.get(PAGE, query).context["page"].rows
    return [row.check_ref.check_id for row in rows]


def three() -> list[Check]:
    """Three checks, of which each changed once: an hour, a day and a month ago."""
    one, two = make_cluster("dc1"), make_cluster("dc2")
    web = make_check(one, check_id="web", service="web", node="n1")
    db = make_check(one, check_id="db", service="db", node="n2", name="Replication lag")
    far = make_check(two, check_id="far", service="web", node="n1")
    make_change(web, "passing", "critical", 55)
    make_change(db, "critical", "passing", 60 * 20)
    make_change(far, "passing", "warning", 60 * 24 * 20)
    return [web, db, far]


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    three()
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(PAGE).status_code == status
        assert client.get(PAGE, {"format": "csv"}).status_code == status


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["web", "db", "far"]),
        ({"cluster": "dc2"}, ["far"]),
        ({"cluster": "none"}, []),
        ({"service": "web"}, ["web", "far"]),
        ({"node": "n2"}, ["db"]),
        ({"q": "replication"}, ["db"]),
        ({"q": "N1 web"}, ["web", "far"]),
        ({"q": "n1 db"}, []),
        ({"q": "%"}, []),
        ({"status": "passing"}, ["db"]),
        ({"was": "passing"}, ["web", "far"]),
        ({"was": "passing", "status": "warning"}, ["far"]),
        ({"status": "nonsense", "was": "nonsense"}, ["web", "db", "far"]),
        ({"range": "1h"}, ["web"]),
        ({"range": "24h"}, ["web", "db"]),
        ({"range": "30d", "cluster": "dc2", "q": "far", "status": "warning"}, ["far"]),
        ({"range": "nonsense"}, ["web", "db", "far"]),
        ({"q": "x\x00"}, []),
    ],
)
@pytest.mark.parametrize("few", [1000, 0])
def test_what_is_looked_for_is_found(
    as_viewer: Client,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, str],
    found: list[str],
    few: int,
) -> None:
    """By either road: a few checks are asked one by one, of many the changes are walked."""
    monkeypatch.setattr(history, "FEW", few)
    three()
    assert shown(as_viewer, **query) == found


def test_a_time_in_the_past(as_viewer: Client) -> None:
    three()
    now = datetime.now(UTC)
    begin, end = now - timedelta(hours=30), now - timedelta(hours=2)
    times = {"from": f"{begin:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%MZ}"}
    assert shown(as_viewer, **times) == ["db"]
    page = text(as_viewer, PAGE, **times)
    # Nothing that is over changes any more.
    assert 'hx-trigger="sse:checks' not in re.sub(r'id="frame".*?>', "", page)
    assert f'value="{times["from"]}"' in page
    assert shown(as_viewer, **times, range="1h") == ["web"]
    assert "No change in this time" in text(as_viewer, PAGE, **times, q="web")


@pytest.mark.parametrize("wrong", ["yesterday", "2026-13-01", "9999-12-31T23:59-23:59", "<b>"])
def test_what_is_no_time_is_said(as_viewer: Client, wrong: str) -> None:
    three()
    page = text(as_viewer, PAGE, **{"from": wrong})
    assert "Not a time" in page
    assert "<b></code>" not in page
    assert len(shown(as_viewer, **{"to": wrong})) == 3


def test_what_was_found_afterwards_is_marked(as_viewer: Client) -> None:
    check = make_check(make_cluster())
    make_change(check, "passing", "critical", 5)
    assert "found later" not in text(as_viewer, PAGE)
    make_change(check, "critical", "passing", 4, watched=False)
    assert "found later" in text(as_viewer, PAGE)


@pytest.mark.parametrize("query", [{}, {"service": "web"}, {"status": "critical"}])
def test_pages_by_key_with_changes_of_one_moment(as_viewer: Client, query: dict[str, str]) -> None:
    cluster, at = make_cluster(), timezone.now()
    checks = [make_check(cluster, check_id=f"c{number}") for number in range(7)]
    Transition.objects.bulk_create(
        Transition(
            check_ref=checks[number % 7],
            cluster=cluster,
            at=at - timedelta(seconds=number // 40),
            previous="passing",
            status="critical",
        )
        for number in range(2 * SIZE + 10)
    )
    wanted = list(Transition.objects.order_by("-at", "-id").values_list("pk", flat=True))
    found: list[int] = []
    after = ""
    for _ in range(3):
        page = as_viewer.get(PAGE, {**query, "after": after}).context["page"]
        found += [row.pk for row in page.rows]
        after = page.following
    assert (found, after) == (wanted, "")


@pytest.mark.parametrize("after", ["x", "1-", "9" * 17 + "-1", "-1-1", "1-1-1"])
def test_a_damaged_key_is_no_error(as_viewer: Client, after: str) -> None:
    three()
    assert as_viewer.get(PAGE, {"after": after}).status_code == 200


@pytest.mark.parametrize("query", [{}, {"q": "web"}])
def test_counts_up_to_a_bound(
    as_viewer: Client, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    check = make_check(make_cluster())
    for number in range(SIZE + 5):
        make_change(check, "passing", "critical", number)
    assert f"{SIZE + 5} changes" in text(as_viewer, PAGE, **query)
    monkeypatch.setattr(history, "COUNTED", SIZE + 2)
    assert f"More than {SIZE + 2} changes" in text(as_viewer, PAGE, **query)


def test_odd_names_are_escaped_and_linked(as_viewer: Client) -> None:
    check = make_check(make_cluster(), check_id=ODD, name=ODD, node=ODD, service=ODD)
    make_change(check, "passing", "critical", 5, output=ODD)
    page = text(as_viewer, PAGE)
    assert "<script>alert" not in page
    assert shown(as_viewer, service=ODD, node=ODD) == [ODD]
    assert shown(as_viewer, q=ODD.split()[0]) == [ODD]


def test_what_consulops_says_itself_is_there(as_viewer: Client) -> None:
    rule = make_check(
        make_cluster(), check_id="consulops:rule:1", node="", source=Source.RULE, name="Too few"
    )
    make_change(rule, "passing", "critical", 5)
    assert "Too few" in text(as_viewer, PAGE)


def test_the_same_as_csv_and_json(as_viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EXPORTED_AT_ONCE", 2)
    three()
    rows = json.loads(as_viewer.get(PAGE, {"format": "json"}).getvalue())
    assert [(row["check"], row["status"]) for row in rows] == [
        ("web", "critical"),
        ("db", "passing"),
        ("far", "warning"),
    ]
    answer = as_viewer.get(PAGE, {"format": "csv", "service": "web", "status": Status.WARNING})
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["check"], row["cluster"], row["previous"]) == ("far", "dc2", "passing")


def test_what_an_empty_page_says(as_viewer: Client) -> None:
    assert "No change yet" in text(as_viewer, PAGE)
    three()
    assert "No change matches" in text(as_viewer, PAGE, q="nothing")


def test_a_fragment_is_the_list_without_the_frame(as_viewer: Client) -> None:
    three()
    page = as_viewer.get(PAGE, headers=HTMX).content.decode()
    assert 'id="change-' in page


@pytest.mark.parametrize("query", [{}, {"q": "c"}])
def test_queries_do_not_grow(
    as_viewer: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    query: dict[str, str],
) -> None:
    cluster = make_cluster()
    for number in range(SIZE + 10):
        make_change(make_check(cluster, check_id=f"c{number}"), "passing", "critical", number)
    with django_assert_max_num_queries(BUDGET):
        assert len(shown(as_viewer, **query)) == SIZE

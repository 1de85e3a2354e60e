"""The list of checks."""

from __future__ import annotations

import csv
import io

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.core.paging import SIZE
from consulops.core.status import Status
from tests.health.things import (
    ODD,
    address,
    fill,
    links_of,
    make_check,
    make_cluster,
    make_node_check,
    rows_of,
    text_of,
)

PAGE = "/checks/"
BUDGET = 9


def names(client: Client, query: str = "") -> list[str]:
    """The check ids on the page, in order."""
    return [row.check.check_id for row in client.get(f"{PAGE}{query}").context["rows"]]


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 200), ("stranger", 302)])
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    for query in ("", "?format=json"):
        assert client.get(f"{PAGE}{query}").status_code == status


def test_worst_first_and_then_what_changed_last(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.PASSING, "good", minutes=1)
    make_check(cluster, Status.CRITICAL, "old", minutes=60)
    make_check(cluster, Status.WARNING, "warn", minutes=1)
    make_check(cluster, Status.CRITICAL, "new", minutes=5)
    make_check(cluster, Status.UNKNOWN, "odd", minutes=5)
    assert names(as_viewer) == ["new", "old", "odd", "warn", "good"]


def test_a_check_that_is_gone_is_only_shown_when_it_is_asked_for(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, check_id="here"), make_check(cluster, Status.GONE, "gone")
    assert names(as_viewer) == ["here"]
    assert names(as_viewer, "?status=gone") == ["gone"]
    assert names(as_viewer, "?status=bogus") == ["here"]


def test_it_is_filtered_by_its_address(as_viewer: Client) -> None:
    one, two = make_cluster("dc1"), make_cluster("dc2")
    make_check(one, check_id="a", service="web", node="n1")
    make_check(one, Status.CRITICAL, check_id="b", service="api", node="n2")
    make_check(two, check_id="c", service="web", node="n2")
    for query, found in {
        "?cluster=dc1": ["b", "a"],
        "?cluster=nowhere": [],
        "?status=critical": ["b"],
        "?service=web&node=n2": ["c"],
        "?q=API": ["b"],
        "?q=web+n1": ["a"],
        "?q=n1+web": ["a"],
        "?q=web+nothing": [],
        "?q=%25": [],
        "?q=%00": [],
        "?cluster=dc1&node=n2": ["b"],
    }.items():
        assert sorted(names(as_viewer, query)) == sorted(found), query


def test_chips_count_what_the_other_filters_leave(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.CRITICAL, "a"), make_check(cluster, Status.CRITICAL, "b", node="n2")
    make_check(cluster, Status.GONE, "c")
    chips = as_viewer.get(f"{PAGE}?status=passing&node=n2").context["chips"]
    counts = {chip["value"]: chip["count"] for chip in chips}
    assert counts == {
        "critical": 1, "unknown": 0, "warning": 0, "maintenance": 0, "passing": 0, "n2": None,
    }  # fmt: skip
    assert [chip["count"] for chip in as_viewer.get(PAGE).context["chips"]][-1] == 1


def test_pages_follow_one_another(as_viewer: Client) -> None:
    cluster = make_cluster()
    for number in range(SIZE + 1):
        make_check(cluster, check_id=f"c{number}")
    first = as_viewer.get(PAGE).context["page"]
    assert len(first.rows) == SIZE
    assert len(names(as_viewer, f"?after={first.following}")) == 1
    assert len(names(as_viewer, "?after=garbage")) == SIZE


def test_nothing_of_a_silent_cluster_is_green(as_viewer: Client) -> None:
    make_check(make_cluster(answered=3600))
    page = text_of(as_viewer, PAGE)
    assert "last known" in page
    assert "data-old" in page
    (row,) = as_viewer.get(PAGE).context["rows"]
    assert row.is_old
    assert row.bar[-1].status is Status.NONE
    make_check(make_cluster("off", enabled=False), check_id="off")
    assert all(row.is_old for row in as_viewer.get(PAGE).context["rows"])


def test_a_failing_check_says_why(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.CRITICAL, output="\n\nrefused by 10.0.0.1\nmore")
    make_check(cluster, check_id="good", output="200 OK")
    page = text_of(as_viewer, PAGE)
    assert "refused by 10.0.0.1" in page
    assert "200 OK" not in page


def test_odd_names_are_text_and_their_links_lead_to_them(as_viewer: Client) -> None:
    cluster = make_cluster()
    check = make_check(
        cluster, Status.CRITICAL, ODD, name=ODD, service=ODD, node=ODD, output="<script>alert(2)"
    )
    page = text_of(as_viewer, PAGE)
    assert "<script>alert" not in page
    links = links_of(as_viewer, PAGE)
    assert f"/checks/{check.pk}/" in links
    for kind in ("service", "node"):
        (link,) = [link for link in links if link.startswith(f"/{kind}/")]
        assert as_viewer.get(link).context["group"].name == ODD
        assert as_viewer.get(address(kind, cluster, ODD)).status_code == 200
    assert ODD in rows_of(as_viewer, PAGE)[0]["node"]


def test_what_is_empty_says_what_to_do(as_viewer: Client, as_admin: Client) -> None:
    assert "An admin can add one" in text_of(as_viewer, PAGE)
    assert "/clusters/new/" in text_of(as_admin, PAGE)
    make_cluster()
    assert "Nothing is known yet" in text_of(as_viewer, PAGE)
    page = text_of(as_viewer, f"{PAGE}?q=x&cluster=dc1")
    assert "Nothing matches" in page
    assert "?cluster=dc1" in links_of(as_viewer, f"{PAGE}?q=x&cluster=dc1")
    assert "No such cluster" in text_of(as_viewer, f"{PAGE}?cluster=dc9")


def test_the_same_as_csv_and_json(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_node_check(cluster)
    make_check(cluster, Status.CRITICAL, tags=["v1", "http"], output="why")
    rows = rows_of(as_viewer, PAGE)
    assert [row["check"] for row in rows] == ["web-1-http", "serfHealth"]
    assert (rows[0]["status"], rows[0]["output"], rows[0]["tags"]) == (
        "critical", "why", ["v1", "http"],
    )  # fmt: skip
    text = as_viewer.get(f"{PAGE}?format=csv&status=passing").getvalue().decode()
    assert [row["check"] for row in csv.DictReader(io.StringIO(text))] == ["serfHealth"]


def test_queries_do_not_grow_with_the_checks(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fill(make_cluster()), fill(make_cluster("dc2"))
    with django_assert_max_num_queries(BUDGET):
        as_viewer.get(f"{PAGE}?q=service")

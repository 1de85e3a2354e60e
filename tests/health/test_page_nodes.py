"""The list of nodes, and the page of one."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.core.status import Status
from consulops.health.models import Node
from tests.health.things import (
    ODD,
    address,
    fill,
    links_of,
    make_change,
    make_check,
    make_cluster,
    make_node_check,
    rows_of,
    text_of,
)

PAGE = "/nodes/"
BUDGET, DETAIL_BUDGET = 10, 13


def states(client: Client, query: str = "") -> list[tuple[str, str]]:
    """Name and state of each row, in order."""
    rows = client.get(f"{PAGE}{query}").context["rows"]
    return [(row["group"].name, row["group"].status.value) for row in rows]


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 200), ("stranger", 302)])
def test_who_may_open_them(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    cluster = make_cluster()
    make_check(cluster)
    for page in (PAGE, address("node", cluster, "n1")):
        for query in ("", "&format=csv" if "?" in page else "?format=csv"):
            assert client.get(f"{page}{query}").status_code == status


def test_worst_first_also_those_without_checks(as_viewer: Client) -> None:
    cluster = make_cluster()
    for name in ("n1", "bare"):
        Node.objects.create(cluster=cluster, name=name, address=f"10.0.0.{len(name)}")
    make_node_check(cluster), make_check(cluster)
    make_check(cluster, Status.WARNING, "b", node="n2")
    assert states(as_viewer) == [("n2", "warning"), ("n1", "passing"), ("bare", "none")]
    page = text_of(as_viewer, PAGE)
    assert "10.0.0.4" in page
    assert "All 2 checks passing" in page


def test_a_node_that_is_down_says_so_in_words(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster)
    make_check(cluster, Status.CRITICAL, "serfHealth", node="n2", service="fake")
    make_node_check(cluster, Status.CRITICAL)
    page = text_of(as_viewer, PAGE)
    # A service's check may have any name.
    assert page.count("The node is down") == 1
    assert "The node is down" in text_of(as_viewer, address("node", cluster, "n1"))


def test_maintenance_comes_before_failures(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_node_check(cluster, Status.CRITICAL)
    make_node_check(cluster, Status.MAINTENANCE, check_id="_node_maintenance")
    make_check(cluster, Status.CRITICAL, node="n2")
    make_check(cluster, Status.MAINTENANCE, "_service_maintenance:web-1", node="n2")
    make_check(cluster, Status.CRITICAL, "db", node="n3", service="db", service_id="db")
    make_check(cluster, Status.MAINTENANCE, "_service_maintenance:web-1", node="n3")
    assert states(as_viewer) == [("n3", "critical"), ("n1", "maintenance"), ("n2", "maintenance")]
    assert "In maintenance" in text_of(as_viewer, address("node", cluster, "n1"))


def test_it_is_filtered_by_its_address(as_viewer: Client) -> None:
    one, two = make_cluster("dc1"), make_cluster("dc2")
    make_node_check(one, Status.CRITICAL), make_node_check(two)
    Node.objects.create(cluster=two, name="edge", address="10.9.9.9")
    for query, found in {
        "?cluster=dc2": [("n1", "passing"), ("edge", "none")],
        "?status=critical": [("n1", "critical")],
        "?q=10.9": [("edge", "none")],
        "?q=N1&cluster=dc1": [("n1", "critical")],
        "?q=nothing": [],
    }.items():
        assert states(as_viewer, query) == found, query


def test_the_nodes_own_checks_come_first(as_viewer: Client) -> None:
    cluster = make_cluster()
    Node.objects.create(cluster=cluster, name="n1", address="10.0.0.7", meta={"rack": "r17"})
    make_node_check(cluster)
    make_check(cluster, check_id="good", service="good", service_id="good")
    make_check(cluster, Status.CRITICAL)
    page = address("node", cluster, "n1")
    found = [(one.service, one.status.value) for one in as_viewer.get(page).context["instances"]]
    assert found == [("", "passing"), ("web", "critical"), ("good", "passing")]
    for text in ("10.0.0.7", "rack", "r17", "1 of 3 checks failing"):
        assert text in text_of(as_viewer, page)
    assert "/service/?cluster=dc1&name=web" in links_of(as_viewer, page)


def test_its_own_recent_changes(as_viewer: Client) -> None:
    cluster = make_cluster()
    change = make_change(make_check(cluster), "passing", "critical", 5)
    make_change(make_check(cluster, check_id="b", node="n2"), "passing", "critical", 5)
    assert list(as_viewer.get(address("node", cluster, "n1")).context["changes"]) == [change]


def test_without_checks_or_answers_nothing_is_green(as_viewer: Client) -> None:
    cluster = make_cluster(answered=3600)
    Node.objects.create(cluster=cluster, name="bare")
    assert "state-passing" not in text_of(as_viewer, address("node", cluster, "bare"))
    make_node_check(cluster)
    for page in (PAGE, address("node", cluster, "n1")):
        assert "data-old" in text_of(as_viewer, page)


def test_what_is_not_there_says_where_to_look(as_viewer: Client) -> None:
    make_cluster()
    answer = as_viewer.get("/node/?cluster=dc1&name=%3Cb%3E")
    assert answer.status_code == 404
    assert "dc1 has no node “&lt;b&gt;”" in answer.content.decode()


def test_odd_names_are_text_and_their_links_lead_to_them(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.CRITICAL, ODD, name=ODD, service=ODD, node=ODD, service_id=ODD)
    Node.objects.create(cluster=cluster, name=ODD, address=ODD, meta={ODD: ODD})
    for page in (PAGE, address("node", cluster, ODD)):
        assert "<script>alert" not in text_of(as_viewer, page)
        links = [
            link for link in links_of(as_viewer, page) if link.startswith(("/service/", "/node/"))
        ]
        assert links
        assert all(as_viewer.get(link).status_code == 200 for link in links)


def test_the_same_as_files(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_node_check(cluster, Status.CRITICAL), make_check(cluster)
    (row,) = rows_of(as_viewer, PAGE)
    assert (row["node"], row["status"], row["is_down"], row["services"], row["failing"]) == (
        "n1", "critical", True, 1, 1,
    )  # fmt: skip
    rows = rows_of(as_viewer, address("node", cluster, "n1"))
    assert [row["check"] for row in rows] == ["serfHealth", "web-1-http"]


def test_queries_do_not_grow(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    cluster = make_cluster()
    fill(cluster), fill(make_cluster("dc2"))
    with django_assert_max_num_queries(BUDGET):
        as_viewer.get(PAGE)
    with django_assert_max_num_queries(DETAIL_BUDGET):
        as_viewer.get(address("node", cluster, "node-1"))

"""The list of services, and the page of one."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.core.paging import SIZE
from consulops.core.status import Status
from consulops.health.models import Service
from tests.health.things import (
    ODD,
    address,
    fill,
    links_of,
    make_change,
    make_check,
    make_cluster,
    make_hour,
    make_node_check,
    rows_of,
    text_of,
)

PAGE = "/services/"
BUDGET, DETAIL_BUDGET = 10, 14


def states(client: Client, query: str = "") -> list[tuple[str, str]]:
    """Name and state of each row, in order."""
    rows = client.get(f"{PAGE}{query}").context["rows"]
    return [(row["group"].name, row["group"].status.value) for row in rows]


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 200), ("stranger", 302)])
def test_who_may_open_them(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    cluster = make_cluster()
    make_check(cluster)
    for page in (PAGE, address("service", cluster, "web")):
        for query in ("", "&format=json" if "?" in page else "?format=json"):
            assert client.get(f"{page}{query}").status_code == status


def test_worst_first_also_those_without_checks(as_viewer: Client) -> None:
    cluster = make_cluster()
    Service.objects.create(cluster=cluster, name="bare", tags=["cron"])
    Service.objects.create(cluster=cluster, name="web", tags=["v1"])
    make_check(cluster, service="web"), make_check(cluster, Status.WARNING, "b", service="web")
    make_check(cluster, Status.CRITICAL, "c", service="db")
    make_check(cluster, Status.GONE, "d", service="old")
    make_node_check(cluster)
    assert states(as_viewer) == [("db", "critical"), ("web", "warning"), ("bare", "none")]
    page = text_of(as_viewer, PAGE)
    assert "1 of 2 checks failing" in page
    assert "No checks" in page
    assert "state-passing" not in page.split("<tbody>")[1]


def test_a_service_is_as_bad_as_the_nodes_it_runs_on(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster), make_check(cluster, check_id="far", service="far", node="n2")
    make_node_check(cluster, Status.CRITICAL)
    assert states(as_viewer) == [("web", "critical"), ("far", "passing")]
    page = text_of(as_viewer, PAGE)
    assert "1 node down" in page
    assert "All 1 checks" not in page
    detail = as_viewer.get(address("service", cluster, "web")).context
    (instance,) = detail["instances"]
    assert instance.status is Status.CRITICAL
    assert [row.check.check_id for row in instance.rows] == ["web-1-http", "serfHealth"]


def test_maintenance_of_an_instance_or_its_node_comes_before_its_failures(
    as_viewer: Client,
) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.CRITICAL)
    make_check(cluster, Status.MAINTENANCE, "_service_maintenance:web-1")
    make_check(cluster, Status.CRITICAL, "db", service="db", service_id="db", node="n2")
    make_node_check(cluster, Status.MAINTENANCE, check_id="_node_maintenance", node="n2")
    assert states(as_viewer) == [("db", "maintenance"), ("web", "maintenance")]
    for name in ("web", "db"):
        page = text_of(as_viewer, address("service", cluster, name))
        assert "1 of 1 instance in maintenance" in page
        context = as_viewer.get(address("service", cluster, name)).context
        assert [one.status for one in context["instances"]] == [Status.MAINTENANCE]
    # Another instance that fails is not excused by it.
    make_check(cluster, Status.CRITICAL, "web-2", service_id="web-2", node="n3")
    assert states(as_viewer)[0] == ("web", "critical")


def test_it_is_filtered_by_its_address(as_viewer: Client) -> None:
    one, two = make_cluster("dc1"), make_cluster("dc2")
    make_check(one, Status.CRITICAL), make_check(two)
    Service.objects.create(cluster=two, name="api", tags=["Edge"])
    for query, found in {
        "?cluster=dc2": [("web", "passing"), ("api", "none")],
        "?status=critical": [("web", "critical")],
        "?status=none": [("api", "none")],
        "?q=edge": [("api", "none")],
        "?q=WEB&cluster=dc1": [("web", "critical")],
        "?q=nothing": [],
    }.items():
        assert states(as_viewer, query) == found, query
    counts = {
        chip["value"]: chip["count"]
        for chip in as_viewer.get(f"{PAGE}?status=critical").context["chips"]
    }
    assert (counts["critical"], counts["passing"], counts["none"]) == (1, 1, 1)


def test_pages_follow_one_another(as_viewer: Client) -> None:
    cluster = make_cluster()
    all_names = [f"s{one:03}" for one in range(SIZE + 20)]
    Service.objects.bulk_create(Service(cluster=cluster, name=name) for name in all_names)
    first = as_viewer.get(PAGE).context["page"]
    second = as_viewer.get(f"{PAGE}?after={first.following}").context["page"]
    names = [group.name for group in first.rows + second.rows]
    assert names == all_names
    assert (second.following, second.is_first) == ("", False)
    # The key of another list, and no key at all.
    for other in ("WyJ4Il0", "%00", "W10"):
        assert len(as_viewer.get(f"{PAGE}?after={other}").context["rows"]) > 0


def test_the_bar_is_of_its_worst_checks(as_viewer: Client) -> None:
    cluster = make_cluster()
    one = make_check(cluster, check_id="a", minutes=2000)
    two = make_check(cluster, check_id="b", minutes=2000)
    make_hour(one, 2, warning_s=1800, critical_s=60), make_hour(two, 2, critical_s=120)
    make_hour(two, 4, warning_s=60)
    # Since when it is known is said by the check that is known longest.
    make_check(cluster, Status.UNKNOWN, check_id="c", minutes=0)
    bar = as_viewer.get(PAGE).context["rows"][0]["bar"]
    assert [block.status.value for block in bar[-5:]] == [
        "warning", "passing", "critical", "passing", "unknown",
    ]  # fmt: skip
    assert bar[0].status is Status.PASSING
    assert bar[-3].text == "critical 2 min, warning 30 min"
    assert as_viewer.get(address("service", cluster, "web")).context["bar"] == bar


def test_nothing_of_a_silent_cluster_is_green(as_viewer: Client) -> None:
    cluster = make_cluster(answered=2 * 3600)
    make_check(cluster, minutes=2000)
    (row,) = as_viewer.get(PAGE).context["rows"]
    assert row["is_old"]
    assert row["bar"][-1].status is Status.NONE
    for page in (PAGE, address("service", cluster, "web")):
        assert "data-old" in text_of(as_viewer, page)
    assert "What was last known" in text_of(as_viewer, address("service", cluster, "web"))


def test_instances_worst_first_with_their_checks(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, check_id="a"), make_check(cluster, Status.WARNING, "b")
    make_check(cluster, Status.CRITICAL, "c", node="n2", service_id="web-2", output="refused")
    make_check(cluster, check_id="other", service="db")
    page = address("service", cluster, "web")
    found = [
        (one.node, one.service_id, [row.check.check_id for row in one.rows])
        for one in as_viewer.get(page).context["instances"]
    ]
    assert found == [("n2", "web-2", ["c"]), ("n1", "web-1", ["b", "a"])]
    assert "refused" in text_of(as_viewer, page)
    assert "/checks/?cluster=dc1&service=web" in links_of(as_viewer, page)


def test_its_own_recent_changes(as_viewer: Client) -> None:
    cluster = make_cluster()
    check = make_check(cluster)
    new, old = (
        make_change(check, "passing", "critical", 5),
        make_change(check, "passing", "critical", 50),
    )
    make_change(check, "passing", "critical", 8 * 24 * 60)
    make_change(make_check(cluster, check_id="db", service="db"), "passing", "critical", 5)
    context = as_viewer.get(address("service", cluster, "web")).context
    assert list(context["changes"]) == [new, old]


def test_a_service_without_checks_is_never_green(as_viewer: Client) -> None:
    cluster = make_cluster()
    Service.objects.create(cluster=cluster, name="bare")
    page = text_of(as_viewer, address("service", cluster, "bare"))
    assert "Consul checks nothing of it" in page
    assert "state-passing" not in page
    # Nor one whose checks are all gone.
    make_check(cluster, Status.GONE, service="old")
    page = text_of(as_viewer, address("service", cluster, "old"))
    assert "state-passing" not in page


def test_what_is_not_there_says_where_to_look(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster)
    for cluster_name, name in (("dc1", "nothing"), ("dc9", "web")):
        answer = as_viewer.get(f"/service/?cluster={cluster_name}&name={name}")
        assert answer.status_code == 404
        assert f"{cluster_name} has no service" in answer.content.decode()
    assert as_viewer.get("/service/").status_code == 404
    assert as_viewer.get("/service/?name=a%26b")["Location"] == "/services/?q=a%26b"


def test_odd_names_are_text_and_their_links_lead_to_them(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.CRITICAL, ODD, name=ODD, service=ODD, node=ODD, service_id=ODD)
    Service.objects.create(cluster=cluster, name=ODD, tags=[ODD])
    for page in (PAGE, address("service", cluster, ODD)):
        assert "<script>alert" not in text_of(as_viewer, page)
        links = [
            link for link in links_of(as_viewer, page) if link.startswith(("/service/", "/node/"))
        ]
        assert links
        assert all(as_viewer.get(link).status_code == 200 for link in links)


def test_the_same_as_files(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_check(cluster, Status.CRITICAL), make_check(cluster, check_id="b", node="n2")
    (row,) = rows_of(as_viewer, PAGE)
    assert (row["service"], row["status"], row["instances"], row["checks"], row["failing"]) == (
        "web", "critical", 2, 2, 1,
    )  # fmt: skip
    rows = rows_of(as_viewer, address("service", cluster, "web"))
    assert [row["check"] for row in rows] == ["web-1-http", "b"]


def test_queries_do_not_grow(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    cluster = make_cluster()
    fill(cluster), fill(make_cluster("dc2"))
    with django_assert_max_num_queries(BUDGET):
        as_viewer.get(PAGE)
    with django_assert_max_num_queries(DETAIL_BUDGET):
        as_viewer.get(address("service", cluster, "service-1"))

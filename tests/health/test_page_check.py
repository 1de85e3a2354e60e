"""The page of one check."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import User
from consulops.alerts.models import Alert
from consulops.core.status import Status
from consulops.health.models import Check
from tests.health.things import (
    ODD,
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

BUDGET = 12


def page_of(check: Check) -> str:
    return f"/checks/{check.pk}/"


def test_who_may_open_it(as_viewer: Client, stranger: Client) -> None:
    check = make_check(make_cluster())
    for query in ("", "?format=csv"):
        assert as_viewer.get(page_of(check) + query).status_code == 200
        assert stranger.get(page_of(check) + query).status_code == 302
    assert as_viewer.get("/checks/999999/").status_code == 404


def test_what_it_says(as_viewer: Client) -> None:
    check = make_check(
        make_cluster(colour="red"),
        Status.CRITICAL,
        output="503 Service Unavailable",
        notes="See the runbook",
        tags=["v7"],
        modify_index=4711,
    )
    page = text_of(as_viewer, page_of(check))
    for text in ["503 Service Unavailable", "See the runbook", "v7", "4711", "dot-red", "web-1"]:
        assert text in page
    links = links_of(as_viewer, page_of(check))
    assert "/service/?cluster=dc1&name=web" in links
    assert "/node/?cluster=dc1&name=n1" in links


def test_a_check_of_the_node_says_so(as_viewer: Client) -> None:
    assert "a check of the node" in text_of(as_viewer, page_of(make_node_check(make_cluster())))


def test_the_timeline_says_how_long_each_state_lasted(as_viewer: Client) -> None:
    check = make_check(make_cluster(), Status.CRITICAL, minutes=5)
    make_change(check, "passing", "warning", 60, output="slow", watched=False)
    make_change(check, "warning", "critical", 5)
    page = text_of(as_viewer, page_of(check))
    assert "lasted 55 min" in page
    assert "from warning" in page
    assert "slow" in page
    assert page.count("Found when watching began") == 1
    newest, oldest = as_viewer.get(page_of(check)).context["moments"]
    assert newest.lasted is None
    assert oldest.lasted == newest.change.at - oldest.change.at


def test_the_timeline_goes_on_where_the_first_page_ended(as_viewer: Client) -> None:
    check = make_check(make_cluster())
    for minute in range(40):
        make_change(check, "passing", "critical", 100 - minute)
    first = as_viewer.get(page_of(check)).context
    second = as_viewer.get(f"{page_of(check)}?after={first['page'].following}").context
    assert [len(first["moments"]), len(second["moments"])] == [30, 10]
    assert second["moments"][0].ended == first["moments"][-1].change.at


def test_a_check_that_never_changed_says_since_when_it_is_known(as_viewer: Client) -> None:
    assert "No change since it was first seen" in text_of(
        as_viewer, page_of(make_check(make_cluster()))
    )


def test_the_bar_has_history_and_the_present_state(as_viewer: Client) -> None:
    check = make_check(make_cluster(), Status.CRITICAL, minutes=0)
    check.first_seen_at = timezone.now() - timedelta(hours=5)
    check.save()
    make_hour(check, 3, warning_s=120)
    bar = as_viewer.get(page_of(check)).context["bar"]
    assert [block.status.value for block in bar[-6:]] == [
        "passing", "passing", "warning", "passing", "passing", "critical",
    ]  # fmt: skip
    assert bar[-4].text == "warning 2 min"
    assert {block.status for block in bar[:18]} == {Status.NONE}


def test_nobody_saw_it_after_it_was_gone_or_its_cluster_silent(as_viewer: Client) -> None:
    gone = make_check(make_cluster(), Status.GONE, minutes=200)
    bar = as_viewer.get(page_of(gone)).context["bar"]
    assert bar[-1].status is Status.GONE
    silent = make_check(make_cluster("silent", answered=4 * 3600), minutes=600)
    context = as_viewer.get(page_of(silent)).context
    assert {block.status for block in context["bar"][-3:]} == {Status.NONE}
    assert "Last known, not heard of since" in text_of(as_viewer, page_of(silent))
    never = make_check(make_cluster("never", answered=None), minutes=600)
    bar = as_viewer.get(page_of(never)).context["bar"]
    assert {block.status for block in bar} == {Status.NONE}


def test_what_happened_around_is_of_the_same_cluster_and_time(as_viewer: Client) -> None:
    cluster = make_cluster()
    check = make_check(cluster, Status.CRITICAL, minutes=20)
    make_change(check, "passing", "critical", 20)
    other = make_check(cluster, check_id="db", name="The database")
    before, after = (
        make_change(other, "passing", "critical", 22),
        make_change(other, "critical", "passing", 16),
    )
    make_change(other, "passing", "critical", 40), make_change(other, "passing", "critical", 10)
    make_change(make_check(make_cluster("dc2")), "passing", "critical", 20)
    assert as_viewer.get(page_of(check)).context["around"] == [after, before]


def test_of_a_burst_the_nearest_are_shown(as_viewer: Client) -> None:
    cluster = make_cluster()
    check = make_check(cluster, Status.CRITICAL, minutes=20)
    other = make_check(cluster, check_id="db")
    late = [make_change(other, "passing", "critical", 19 - step / 100) for step in range(40)]
    assert as_viewer.get(page_of(check)).context["around"] == late[:15][::-1]


def test_its_alerts(as_viewer: Client, viewer: User) -> None:
    check = make_check(make_cluster(), Status.CRITICAL)
    alert = Alert.objects.create(
        cluster=check.cluster,
        check_ref=check,
        status="critical",
        rank=0,
        since=check.since,
        opened_at=check.since,
        acknowledged_at=timezone.now(),
        acknowledged_by=viewer,
    )
    assert f"/alerts/{alert.pk}/" in links_of(as_viewer, page_of(check))
    assert "vera" in text_of(as_viewer, page_of(check))


def test_odd_names_and_outputs_are_text(as_viewer: Client) -> None:
    check = make_check(
        make_cluster(), Status.CRITICAL, ODD, name=ODD, service=ODD, node=ODD,
        service_id=ODD, output=ODD, notes=ODD, tags=[ODD],
    )  # fmt: skip
    make_change(check, "passing", "critical", 5, output=ODD)
    assert "<script>alert" not in text_of(as_viewer, page_of(check))
    for link in links_of(as_viewer, page_of(check)):
        if link.startswith(("/service/", "/node/")) and "name=" in link:
            assert as_viewer.get(link).status_code == 200


def test_another_cluster_leads_to_its_checks(as_viewer: Client) -> None:
    check = make_check(make_cluster())
    make_cluster("dc2")
    assert as_viewer.get(f"{page_of(check)}?cluster=dc1").status_code == 200
    answer = as_viewer.get(f"{page_of(check)}?cluster=dc2")
    assert (answer.status_code, answer["Location"]) == (302, "/checks/?cluster=dc2")


def test_its_history_as_a_file(as_viewer: Client) -> None:
    check = make_check(make_cluster())
    make_change(check, "passing", "critical", 9, output="x" * 20_000)
    (row,) = rows_of(as_viewer, page_of(check))
    assert (row["previous"], row["status"], len(row["output"])) == ("passing", "critical", 20_000)


def test_queries_do_not_grow_with_the_history(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    cluster = make_cluster()
    fill(cluster)
    check = make_check(cluster, Status.CRITICAL)
    for minute in range(40):
        make_change(check, "passing", "critical", 100 - minute)
    following = as_viewer.get(page_of(check)).context["page"].following
    with django_assert_max_num_queries(BUDGET):
        as_viewer.get(f"{page_of(check)}?after={following}")

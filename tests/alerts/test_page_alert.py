"""The page of one alert."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.alerts import desk, services
from consulops.alerts.models import Alert, Attempt, Delivery, Notice
from consulops.clusters.models import Cluster
from consulops.health import services as health
from consulops.health.models import Check, Source
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
from tests.alerts.pages import ODD, nothing_changes, text

pytestmark = pytest.mark.django_db

BUDGET = 26


def page_of(alert: Alert | None = None) -> str:
    return f"/alerts/{(alert or Alert.objects.get()).pk}/"


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    make_route(make_notifier())
    fail(make_cluster())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(page_of()).status_code == status


def test_one_that_is_not_there(as_viewer: Client) -> None:
    assert as_viewer.get("/alerts/1/").status_code == 404


def test_facts(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "web", node="n1", output="connection refused by 10.0.0.1")
    page = text(as_viewer, page_of())
    for part in [
        "Check of web",
        "of web on n1",
        f"/checks/{Check.objects.get().pk}/",
        "?cluster=dc1&amp;name=web",
        "?cluster=dc1&amp;name=n1",
        f"/clusters/{cluster.pk}/",
        "connection refused by 10.0.0.1",
        "An operator can acknowledge it.",
    ]:
        assert part in page
    assert "acknowledge/" not in page


def test_operators_can_acknowledge_and_take_it_back(as_operator: Client) -> None:
    fail(make_cluster())
    page = text(as_operator, page_of())
    assert f"{page_of()}acknowledge/" in page
    assert "csrfmiddlewaretoken" in page
    services.acknowledge(TEST, [Alert.objects.get()], "replacing the disk")
    page = text(as_operator, page_of())
    assert f"{page_of()}acknowledge/" not in page
    assert f"{page_of()}unacknowledge/" in page
    assert "replacing the disk" in page


def test_one_that_is_over(as_operator: Client) -> None:
    cluster = make_cluster()
    began = timezone.now() - timedelta(hours=1)
    with time_machine.travel(began, tick=False):
        fail(cluster, output="it was refused")
    with time_machine.travel(began + timedelta(minutes=12), tick=False):
        mend(cluster, output="all is well")
    page = text(as_operator, page_of())
    assert "after 12 min" in page
    assert page.index("it was refused") < page.index("all is well")
    assert "acknowledge/" not in page
    # Nobody needs to hear that nobody is told of what is over.
    assert "nobody is told" not in page


def test_each_stage_says_why(as_viewer: Client) -> None:
    make_route(make_notifier("ops-hook"), wait_s=60)
    fail(make_cluster())
    page = text(as_viewer, page_of())
    assert "the route&#x27;s matchers agree" in page
    assert "critical must last 60 s before it counts" in page
    due_at = Notice.objects.get().due_at
    assert due_at
    assert due_at.isoformat(timespec="milliseconds") in page
    assert "ops-hook" in page


def test_routes_that_do_not_mean_it_say_why(as_viewer: Client) -> None:
    hook = make_notifier()
    make_route(hook, "databases", match={"service": "db.*"})
    make_route(hook, "all others")
    make_route(hook, "never reached")
    fail(make_cluster())
    page = text(as_viewer, page_of())
    assert "2 routes do not mean it" in page
    assert "no service matches db.*" in page
    assert "the route all others comes first" in page
    assert "nobody is told" not in page


def test_nobody_is_told_is_loud(as_viewer: Client) -> None:
    fail(make_cluster())
    page = text(as_viewer, page_of())
    assert "No route matches: nobody is told." in page
    assert 'href="/routes/"' in page
    services.save_route(TEST, "empty", {}, [make_notifier(enabled=False)])
    assert "no notifier that is switched on" in text(as_viewer, page_of())


def test_what_a_deleted_route_had_told_stays(as_viewer: Client) -> None:
    route = make_route(make_notifier(), "short-lived")
    fail(make_cluster())
    services.delete_route(TEST, route)
    page = text(as_viewer, page_of())
    assert "short-lived" in page
    assert "deleted since" in page
    assert "No route matches: nobody is told." in page


def test_a_route_that_has_told_is_shown_though_it_no_longer_means_it(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_route(make_notifier(), "critical ones", match={"status": ["critical"]})
    fail(cluster)
    fail(cluster, status="warning")
    page = text(as_viewer, page_of())
    assert "Stopped:" in page
    assert "the status is warning, not critical" in page
    assert "Told last: critical" in page


def test_messages_with_every_attempt(as_viewer: Client) -> None:
    make_route(make_notifier("ops-hook"), "everything")
    fail(make_cluster())
    delivery, now = Delivery.objects.get(), timezone.now()
    Attempt.objects.create(delivery=delivery, at=now, duration_ms=31, ok=False, answer="503 busy")
    Attempt.objects.create(delivery=delivery, at=now, duration_ms=17, ok=True, answer="200 fine")
    again = now + timedelta(minutes=4)
    Delivery.objects.update(state="retrying", attempt_count=2, next_attempt_at=again)
    page = text(as_viewer, page_of())
    for part in ["ops-hook", "Opened", "Trying again", "2 attempts", "503 busy", "31 ms"]:
        assert part in page
    assert page.index("200 fine") < page.index("503 busy")
    assert again.isoformat(timespec="milliseconds") in page


def test_messages_newest_first(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_route(make_notifier())
    fail(cluster)
    mend(cluster)
    page = text(as_viewer, page_of())
    assert page.index("“Resolved”") < page.index("“Opened”")


def test_history_of_the_check_while_it_lasted_and_before(as_viewer: Client) -> None:
    cluster = make_cluster()
    for days, output in [(2, "the first time"), (1, "the second time")]:
        with time_machine.travel(timezone.now() - timedelta(days=days), tick=False) as clock:
            fail(cluster, output=output)
            clock.shift(600)
            mend(cluster, output="fine")
    first, second = Alert.objects.order_by("opened_at")
    page = text(as_viewer, page_of(second))
    assert "the second time" in page
    assert "the first time" not in page
    assert page_of(first) in page
    assert "lasted 10 min" in page
    before = text(as_viewer, page_of(first))
    assert "the second time" not in before
    assert page_of(second) not in before


def test_odd_names_are_escaped_and_linked(as_admin: Client) -> None:
    make_route(make_notifier(ODD[:60]), ODD[:60])
    see(make_cluster(), observation(ODD, node=ODD, name=ODD, output=ODD))
    services.acknowledge(TEST, [Alert.objects.get()], ODD)
    Attempt.objects.create(
        delivery=Delivery.objects.get(), at=timezone.now(), duration_ms=1, ok=True, answer=ODD
    )
    page = text(as_admin, page_of())
    assert "<script>alert" not in page
    assert "name=%3Cscript%3Ealert%281%29%3C%2Fscript%3E%2F" in page


def test_the_switcher_of_clusters_leads_to_the_list(as_viewer: Client) -> None:
    fail(make_cluster("dc1"))
    make_cluster("dc2")
    assert as_viewer.get(page_of(), {"cluster": "dc1"}).status_code == 200
    answer = as_viewer.get(page_of(), {"cluster": "dc2"})
    assert answer["Location"] == "/alerts/?cluster=dc2"


def test_queries_do_not_grow(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make_route(make_notifier(f"hook {number}"), f"route {number}", continues=True)
    cluster = make_cluster()
    see(cluster, *(observation(f"c{number}") for number in range(100)))
    for delivery in Delivery.objects.all()[:200]:
        Attempt.objects.create(delivery=delivery, at=timezone.now(), duration_ms=1, ok=True)
    alert = Alert.objects.first()
    with django_assert_max_num_queries(BUDGET):
        text(as_operator, page_of(alert))


def test_one_timeline_newest_first(as_operator: Client) -> None:
    cluster = make_cluster()
    make_route(make_notifier("ops-hook"))
    began = timezone.now() - timedelta(hours=3)
    with time_machine.travel(began, tick=False) as clock:
        see(cluster, observation(status="passing"))
        clock.shift(60)
        fail(cluster)
        clock.shift(60)
        services.acknowledge(TEST, [Alert.objects.get()], "on it")
        clock.shift(60)
        desk.comment(TEST, [Alert.objects.get()], "it was the disk")
        clock.shift(60)
        services.unacknowledge(TEST, Alert.objects.get())
        clock.shift(60)
        mend(cluster)
        clock.shift(7200)
        fail(cluster)
    first = Alert.objects.order_by("pk")[0]
    entries = as_operator.get(page_of(first)).context["entries"]
    told = [
        (entry.change and entry.change.status)
        or (entry.delivery and entry.delivery.reason)
        or (entry.comment and entry.comment.text)
        or entry.words
        for entry in entries
    ]
    assert sorted(told[:2]) == ["passing", "resolved"]
    assert told[2:5] == ["took that back", "it was the disk", "took it on"]
    assert sorted(told[5:7]) == ["critical", "opened"]


@pytest.mark.parametrize(
    ("notes", "link"),
    [
        ("See https://wiki.example/run?a=1&b=2.", "https://wiki.example/run?a=1&amp;b=2"),
        ("(http://wiki.example/x) or else", "http://wiki.example/x"),
        ("javascript:alert(1)", ""),
        ('https://a.example/"onclick="x', "https://a.example"),
        ("no address", ""),
    ],
)
def test_the_runbook_of_the_notes(as_viewer: Client, notes: str, link: str) -> None:
    see(make_cluster(), observation(notes=notes))
    page = text(as_viewer, page_of())
    assert ("Runbook" in page) == bool(link)
    assert not link or f'href="{link}' in page


def test_alerts_like_it_before(as_viewer: Client) -> None:
    cluster = make_cluster()
    for days, node, check in [
        (40, "n1", "web"),
        (9, "n1", "web"),
        (5, "n2", "web"),
        (3, "n1", "b"),
    ]:
        with time_machine.travel(timezone.now() - timedelta(days=days), tick=False) as clock:
            fail(cluster, check, node=node, service="web")
            desk.comment(TEST, [Alert.objects.latest("pk")], f"said {days} days ago")
            clock.shift(600)
            mend(cluster, check, node=node, service="web")
    fail(cluster, "web", node="n1", service="web")
    alert = Alert.objects.latest("pk")
    found = as_viewer.get(page_of(alert)).context["similar"]
    assert [(one.label, one.count, one.said and one.said.text) for one in found] == [
        ("This check", 1, "said 9 days ago"),
        ("The same check on other nodes", 1, "said 5 days ago"),
        ("Other checks of web", 1, "said 3 days ago"),
    ]
    page = text(as_viewer, page_of(alert))
    assert "1 time, 10 min on average, 10 min at most" in page
    assert "said 40 days ago" not in page


def test_what_was_said_when_one_was_taken_on_counts_too(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster)
    services.acknowledge(TEST, [Alert.objects.get()], "restarted it")
    mend(cluster)
    fail(cluster)
    assert "restarted it" in text(as_viewer, page_of(Alert.objects.latest("pk")))


def test_what_else_happened_then(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster)
    fail(cluster, "elsewhere", node="n7")
    assert "Check of elsewhere" in text(as_viewer, page_of(Alert.objects.order_by("pk")[0]))


def test_what_keeps_it_quiet_is_said_on_top(as_operator: Client) -> None:
    make_route(make_notifier())
    fail(make_cluster())
    desk.silence(TEST, [Alert.objects.get()], "moving the rack")
    page = text(as_operator, page_of())
    assert page.index("Silenced: silence #") < page.index("Facts")
    assert "moving the rack" in page


@pytest.mark.parametrize("cluster", ["one of Consul", "ourselves"])
def test_what_consulops_found_itself_reads_well(as_operator: Client, cluster: str) -> None:
    make_route(make_notifier())
    known = make_cluster()
    owner = known if cluster == "one of Consul" else Cluster.ourselves()
    recording = health.Recording(owner, lambda: None, source=Source.CONSULOPS)
    seen = observation(
        "consulops:notifier:1", node="", service="", service_id="", name="Slack fails"
    )
    health.record(recording, [seen])
    alert = Alert.objects.get()
    check_page = f"/checks/{alert.check_ref_id}/"
    for address in (page_of(), "/alerts/", "/", check_page, "/deliveries/", "/history/"):
        page = text(as_operator, address)
        assert "Slack fails" in page, address
        # No link to a node without a name.
        assert 'name="' not in re.sub(r'\sname="', "", page), address
    if owner.internal:
        assert "Last known" not in text(as_operator, check_page)
        assert f"/clusters/{owner.pk}/" not in text(as_operator, page_of())

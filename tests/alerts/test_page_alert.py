"""The page of one alert."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.alerts import services
from consulops.alerts.models import Alert, Attempt, Delivery, Notice
from consulops.health.models import Check
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

"""The first page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import User
from consulops.alerts.models import Alert, Route
from consulops.core.status import Status
from consulops.health.models import Check
from consulops.notifiers.models import Notifier
from tests.health.things import (
    ODD,
    fill,
    links_of,
    make_change,
    make_check,
    make_cluster,
    rows_of,
    text_of,
)

PAGE = "/"
BUDGET = 16


def make_alert(check: Check, **values: object) -> Alert:
    return Alert.objects.create(
        cluster=check.cluster,
        check_ref=check,
        status=check.status,
        rank=check.rank,
        since=check.since,
        opened_at=check.since,
        **values,
    )


def make_road() -> Notifier:
    """A notifier, and a route that leads to it."""
    notifier = Notifier.objects.create(name="hook", kind="webhook")
    Route.objects.create(name="everything").notifiers.add(notifier)
    return notifier


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 200), ("stranger", 302)])
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    for query in ("", "?format=json"):
        assert client.get(f"{PAGE}{query}").status_code == status


def test_a_new_product_shows_three_steps(as_admin: Client, as_viewer: Client) -> None:
    page = text_of(as_admin, PAGE)
    assert page.count("<h3>") == 3
    assert "data-done" not in page
    assert {"/clusters/new/", "/notifiers/new/", "/routes/new/"} <= set(links_of(as_admin, PAGE))
    assert "/clusters/new/" not in text_of(as_viewer, PAGE)
    make_road()
    assert text_of(as_admin, PAGE).count("data-done") == 2


def test_what_is_missing_after_the_first_cluster_is_a_hint(as_admin: Client) -> None:
    make_cluster()
    assert "there is no notifier" in text_of(as_admin, PAGE)
    notifier = Notifier.objects.create(name="hook", kind="webhook")
    route = Route.objects.create(name="everything")
    assert "no route leads to a notifier" in text_of(as_admin, PAGE)
    route.notifiers.add(notifier)
    assert "Nobody is told" not in text_of(as_admin, PAGE)
    Notifier.objects.update(enabled=False)
    assert "Nobody is told" in text_of(as_admin, PAGE)


def test_clusters_worst_first_with_their_verdict(as_viewer: Client) -> None:
    good, bad = make_cluster("good"), make_cluster("bad", colour="red")
    make_check(good), make_check(bad, Status.CRITICAL), make_check(bad, check_id="b")
    cards = as_viewer.get(PAGE).context["cards"]
    assert [card.row.cluster.name for card in cards] == ["bad", "good"]
    assert cards[0].bar[-1].status is Status.CRITICAL
    page = text_of(as_viewer, PAGE)
    assert "1 of 2 checks critical." in page
    assert "dot-red" in page
    assert "/checks/?cluster=bad&status=critical" in links_of(as_viewer, PAGE)


def test_a_cluster_without_answers_or_checks_is_never_green(as_viewer: Client) -> None:
    make_cluster("empty"), make_cluster("new", answered=None)
    make_check(make_cluster("silent", answered=3600), minutes=2000)
    assert "state-passing" not in text_of(as_viewer, PAGE)
    for card in as_viewer.get(PAGE).context["cards"]:
        assert card.bar[-1].status is Status.NONE


def test_one_cluster_may_be_chosen(as_viewer: Client) -> None:
    one, two = make_cluster("dc1"), make_cluster("dc2")
    first, second = make_check(one, Status.CRITICAL), make_check(two, Status.CRITICAL)
    alert = make_alert(first)
    make_alert(second)
    change = make_change(first, "passing", "critical", 5)
    make_change(second, "passing", "critical", 5)
    context = as_viewer.get(f"{PAGE}?cluster=dc1").context
    assert [card.row.cluster.name for card in context["cards"]] == ["dc1"]
    assert list(context["alerts"]) == [alert]
    assert list(context["changes"]) == [change]
    assert "No such cluster" in text_of(as_viewer, f"{PAGE}?cluster=dc9")


def test_open_alerts_worst_first(as_viewer: Client, as_operator: Client, viewer: User) -> None:
    cluster = make_cluster()
    warning = make_alert(make_check(cluster, Status.WARNING, "a"))
    critical = make_alert(make_check(cluster, Status.CRITICAL, "b"))
    make_alert(make_check(cluster, Status.PASSING, "c"), resolved_at=timezone.now())
    told = make_alert(
        make_check(cluster, Status.WARNING, "d", minutes=60),
        acknowledged_at=timezone.now() - timedelta(minutes=1),
        acknowledged_by=viewer,
    )
    assert as_viewer.get(PAGE).context["alerts"] == [critical, warning, told]
    assert ">Acknowledge<" not in text_of(as_viewer, PAGE)
    page = text_of(as_operator, f"{PAGE}?cluster=dc1")
    assert page.count(f'action="/alerts/{critical.pk}/acknowledge/"') == 1
    assert f"/alerts/{told.pk}/acknowledge/" not in page
    assert 'name="next" value="/?cluster=dc1"' in page
    assert "csrfmiddlewaretoken" in page
    assert "vera" in page


def test_an_alert_is_acknowledged_with_one_click(as_operator: Client) -> None:
    alert = make_alert(make_check(make_cluster(), Status.CRITICAL))
    answer = as_operator.post(f"/alerts/{alert.pk}/acknowledge/", {"next": "/?cluster=dc1"})
    assert answer["Location"] == "/?cluster=dc1"
    alert.refresh_from_db()
    assert alert.acknowledged_at is not None


def test_what_changed_lately_newest_first(as_viewer: Client) -> None:
    check = make_check(make_cluster(), Status.CRITICAL)
    changes = [make_change(check, "passing", "critical", minute) for minute in range(1, 25)]
    assert as_viewer.get(PAGE).context["changes"] == changes[:20]


def test_odd_names_are_text(as_viewer: Client) -> None:
    check = make_check(
        make_cluster(), Status.CRITICAL, ODD, name=ODD, service=ODD, node=ODD, output=ODD
    )
    make_alert(check), make_change(check, "passing", "critical", 1)
    assert "<script>alert" not in text_of(as_viewer, PAGE)


def test_the_same_as_a_file(as_viewer: Client) -> None:
    make_check(make_cluster(), Status.CRITICAL)
    (row,) = rows_of(as_viewer, PAGE)
    assert (row["name"], row["status"], row["critical"]) == ("dc1", "critical", 1)


def test_queries_do_not_grow(
    as_operator: Client, viewer: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_road()
    for name in ("dc1", "dc2", "dc3"):
        for check in fill(make_cluster(name), 30):
            if check.status in (Status.CRITICAL, Status.WARNING):
                make_alert(check, acknowledged_by=viewer, acknowledged_at=timezone.now())
    with django_assert_max_num_queries(BUDGET):
        as_operator.get(PAGE)

"""The list of routes in their order, and the buttons that change it."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import AuditEntry, User
from consulops.alerts.models import Notice, Route
from tests.alerts.factories import fail, make_cluster, make_notifier, make_route
from tests.alerts.pages import HTMX, ODD, notes, nothing_changes, text
from tests.people import client_of

pytestmark = pytest.mark.django_db

PAGE = "/routes/"
BUDGET = 8


def order() -> list[str]:
    return list(Route.objects.values_list("name", flat=True))


def address(name: str, verb: str) -> str:
    return f"/routes/{Route.objects.get(name=name).pk}/{verb}/"


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    make_route(make_notifier())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(PAGE).status_code == status
        assert client.get(PAGE, {"format": "json"}).status_code == status


@pytest.mark.parametrize("who", ["as_viewer", "as_operator"])
def test_only_admins_are_offered_changes(who: str, request: pytest.FixtureRequest) -> None:
    make_route(make_notifier())
    page = text(request.getfixturevalue(who), PAGE)
    assert "everything" in page
    assert not any(part in page for part in ("/routes/new/", "/move/", "row-link"))


def test_a_route_in_words(as_viewer: Client) -> None:
    make_route(
        make_notifier("ops-hook"),
        "databases",
        match={"service": "db-.*", "tag": "primary", "cluster": ".*", "status": ["critical"]},
        wait_s=300,
        remind_every_s=3600,
        group_by=["service", "node"],
        group_wait_s=30,
        notify_resolved=False,
        continues=True,
    )
    page = text(as_viewer, PAGE)
    for part in [
        "databases",
        "only critical",
        "db-.*",
        "primary",
        "ops-hook",
        "once it has lasted 5 min",
        "together by service, node, waiting 30 s",
        "again every 1 h",
        "not when it is over",
        "tries those below too",
    ]:
        assert part in page
    # A matcher that means everything says nothing.
    assert '<span class="muted">cluster</span>' not in page


def test_no_route_is_loud(as_viewer: Client, as_admin: Client) -> None:
    assert "No route yet: nobody is told" in text(as_viewer, PAGE)
    assert "/routes/new/" in text(as_admin, PAGE)
    make_route(make_notifier(), enabled=False)
    assert "No route is switched on: nobody is told" in text(as_viewer, PAGE)


def test_a_route_that_tells_nobody_is_loud(as_viewer: Client) -> None:
    make_route(make_notifier(enabled=False))
    page = text(as_viewer, PAGE)
    assert "switched off" in page
    assert "Nobody" in page


def test_a_route_below_one_that_takes_everything_is_never_tried(as_viewer: Client) -> None:
    hook = make_notifier()
    make_route(hook, "critical", match={"status": ["critical"]})
    make_route(hook, "also", continues=True)
    make_route(hook, "off", enabled=False)
    make_route(hook, "catch-all", match={"service": ".*", "status": ["warning", "critical"]})
    make_route(hook, "late")
    rows = as_viewer.get(PAGE).context["rows"]
    assert [row.hidden_by for row in rows] == ["", "", "", "", "catch-all"]
    assert "Never tried" in text(as_viewer, PAGE)


def test_moving(as_admin: Client, admin: User) -> None:
    hook = make_notifier()
    for name in ("one", "two", "three"):
        make_route(hook, name)
    answer = as_admin.post(address("three", "move"), {"direction": "up"})
    assert order() == ["one", "three", "two"]
    assert answer["Location"] == PAGE
    assert notes(answer) == ["three is now tried earlier."]
    as_admin.post(address("one", "move"), {"direction": "down"})
    assert order() == ["three", "one", "two"]
    assert AuditEntry.objects.filter(action="route.moved", actor=admin).count() == 2


def test_moving_by_htmx_stays_on_the_page(as_admin: Client) -> None:
    hook = make_notifier()
    make_route(hook, "one")
    make_route(hook, "two")
    answer = as_admin.post(address("two", "move"), {"direction": "up"}, headers=HTMX)
    assert order() == ["two", "one"]
    assert "live:resync" in json.loads(answer["HX-Trigger"])


def test_deleting_tells_who_is_taken_over(as_admin: Client) -> None:
    hook = make_notifier()
    make_route(hook, "first")
    make_route(hook, "second")
    fail(make_cluster())
    answer = as_admin.post(address("first", "delete"))
    assert answer["Location"] == PAGE
    assert order() == ["second"]
    # The alert that is open has a route again at once.
    assert set(Notice.objects.values_list("route_name", flat=True)) == {"first", "second"}
    assert AuditEntry.objects.filter(action="route.deleted").exists()


@pytest.mark.parametrize(
    ("who", "status"), [("as_viewer", 403), ("as_operator", 403), ("stranger", 302)]
)
def test_only_admins_may_change(request: pytest.FixtureRequest, who: str, status: int) -> None:
    hook = make_notifier()
    make_route(hook, "one")
    make_route(hook, "two")
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for verb in ("move", "delete"):
            assert client.post(address("two", verb), {"direction": "up"}).status_code == status


def test_neither_a_link_nor_a_post_without_its_token_changes_anything(
    as_admin: Client, admin: User
) -> None:
    make_route(make_notifier(), "one")
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client_of(admin).cookies
    with nothing_changes():
        for verb in ("move", "delete"):
            assert as_admin.get(address("one", verb)).status_code == 405
            assert careful.post(address("one", verb)).status_code == 403
    assert "csrfmiddlewaretoken" in text(as_admin, PAGE)


def test_odd_names_are_escaped(as_admin: Client) -> None:
    make_route(make_notifier(ODD[:60]), ODD[:60], match={"service": ODD})
    assert "<script>alert" not in text(as_admin, PAGE)


def test_the_same_as_json(as_viewer: Client) -> None:
    make_route(make_notifier(), "one", match={"service": "web"}, wait_s=5)
    (row,) = json.loads(as_viewer.get(PAGE, {"format": "json"}).getvalue())
    assert (row["name"], row["match"], row["wait_s"]) == ("one", {"service": "web"}, 5)
    assert (row["notifiers"], row["continue"]) == (["hook"], False)


def test_queries_do_not_grow_with_the_routes(
    as_admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    hook = make_notifier()
    for number in range(20):
        make_route(hook, f"route {number}")
    with django_assert_max_num_queries(BUDGET):
        text(as_admin, PAGE)

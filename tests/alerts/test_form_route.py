"""The form of a route, and its preview."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import AuditEntry, User
from consulops.alerts.models import Alert, Delivery, Route
from tests.alerts.factories import (
    fail,
    make_cluster,
    make_notifier,
    make_route,
    observation,
    see,
)
from tests.alerts.pages import HTMX, ODD, notes, nothing_changes, text
from tests.people import client_of

pytestmark = pytest.mark.django_db

NEW = "/routes/new/"
PREVIEW = "/routes/preview/"


def edit(route: Route) -> str:
    return f"/routes/{route.pk}/"


def posted(**changes: Any) -> dict[str, Any]:
    """What the form sends; a value of None leaves the field out."""
    values = {
        "name": "everything",
        "enabled": "on",
        "match_status": ["critical", "warning"],
        "wait_s": "0",
        "remind_every_s": "0",
        "group_wait_s": "0",
        "group_interval_s": "0",
        "escalate_after_s": "0",
        "notify_resolved": "on",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    route = make_route(make_notifier())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for address in (NEW, edit(route)):
            assert client.get(address).status_code == status


@pytest.mark.parametrize("who", ["as_viewer", "as_operator"])
def test_only_admins_may_save_and_try(who: str, request: pytest.FixtureRequest) -> None:
    route = make_route(make_notifier())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for address in (NEW, edit(route), PREVIEW):
            assert client.post(address, posted(name="mine")).status_code == 403


def test_a_post_without_its_token_saves_nothing(admin: User) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client_of(admin).cookies
    with nothing_changes():
        assert careful.post(NEW, posted()).status_code == 403
    assert "csrfmiddlewaretoken" in text(client_of(admin), NEW)


def test_an_empty_form_tells_at_once_and_of_everything(as_admin: Client) -> None:
    form = as_admin.get(NEW).context["form"]
    assert [form[name].value() for name in ("wait_s", "remind_every_s", "group_wait_s")] == [0] * 3
    assert list(form["match_status"].value()) == ["critical", "warning"]
    assert (form["enabled"].value(), form["notify_resolved"].value()) == (True, True)


def test_a_new_route(as_admin: Client, admin: User) -> None:
    hook = make_notifier()
    fail(make_cluster(), "db")
    answer = as_admin.post(
        NEW,
        posted(
            name="databases",
            match_service="db.*",
            match_status=["critical"],
            wait_s="0",
            remind_every_s="600",
            group_by=["service"],
            group_wait_s="0",
            notify_resolved=None,
            continues="on",
            notifiers=[hook.pk],
        ),
    )
    assert answer["Location"] == "/routes/"
    assert notes(answer) == ["databases is saved."]
    route = Route.objects.get()
    assert route.match == {"service": "db.*", "status": ["critical"]}
    assert (route.remind_every_s, route.group_by) == (600, ["service"])
    assert (route.enabled, route.notify_resolved, route.continues) == (True, False, True)
    assert list(route.notifiers.all()) == [hook]
    # The alert that was open already is told at once.
    assert Delivery.objects.get().alerts.get() == Alert.objects.get()
    assert AuditEntry.objects.get(action="route.created").actor == admin


def test_the_form_shows_what_is_saved_and_saving_it_unchanged_changes_nothing(
    as_admin: Client,
) -> None:
    hook = make_notifier()
    match = {"service": "web|db", "node": "n[0-9]"}
    route = make_route(hook, match=match, wait_s=7, group_by=["node"], notify_resolved=False)
    form = as_admin.get(edit(route)).context["form"]
    shown = {field.html_name: field.value() for field in form}
    # A browser leaves out boxes without a tick.
    data = {
        name: value for name, value in shown.items() if value is not None and value is not False
    }
    data["notifiers"] = [hook.pk]
    answer = as_admin.post(edit(route), data)
    assert notes(answer) == ["everything is as it was."]
    saved = Route.objects.get()
    assert (saved.match, saved.wait_s, saved.group_by) == (match, 7, ["node"])
    assert not AuditEntry.objects.filter(action="route.updated").exists()


def test_hours_escalation_and_meta(as_admin: Client) -> None:
    hook, boss = make_notifier(), make_notifier("boss")
    as_admin.post(
        NEW,
        posted(
            notifiers=[hook.pk],
            escalate_to=[boss.pk],
            escalate_after_s="600",
            group_interval_s="300",
            match_service_meta="team: pay.*\n",
            **{
                "active_hours-0-days": ["mon", "tue"],
                "active_hours-0-begin": "08:00",
                "active_hours-0-end": "18:00",
                "active_hours-0-timezone": "Europe/Berlin",
            },
        ),
    )
    route = Route.objects.get()
    assert (route.escalate_after_s, route.group_interval_s) == (600, 300)
    assert list(route.escalate_to.all()) == [boss]
    assert route.match == {"service_meta": {"team": "pay.*"}}
    hours = {"days": ["mon", "tue"], "begin": "08:00", "end": "18:00", "timezone": "Europe/Berlin"}
    assert route.active_hours == [hours]
    page = text(as_admin, "/routes/")
    for words in ("service meta team", "boss", "after 10 min", "(Europe/Berlin)"):
        assert words in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"escalate_after_s": "600"}, "escalate_to"),
        ({"match_node_meta": "rack"}, "match_node_meta"),
        ({"match_service_meta": "team: ("}, "match_service_meta"),
        (
            {
                "active_hours-0-begin": "8",
                "active_hours-0-end": "18:00",
                "active_hours-0-timezone": "UTC",
            },
            "active_hours",
        ),
    ],
)
def test_half_of_a_thing_is_refused(as_admin: Client, changes: dict[str, str], field: str) -> None:
    with nothing_changes():
        answer = as_admin.post(NEW, posted(**changes))
    assert list(answer.context["form"].errors) == [field]


def test_a_change(as_admin: Client) -> None:
    route = make_route(make_notifier(), match={"service": "web", "status": ["critical"]})
    as_admin.post(edit(route), posted(name="renamed", match_node="n.*", enabled=None))
    saved = Route.objects.get()
    assert (saved.pk, saved.name, saved.enabled) == (route.pk, "renamed", False)
    assert saved.match == {"node": "n.*", "status": ["critical", "warning"]}
    assert not saved.notifiers.exists()
    detail = AuditEntry.objects.get(action="route.updated").detail["changed"]
    assert detail["name"] == {"from": "everything", "to": "renamed"}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("match_service", "web-((", "No regular expression: missing )"),
        ("match_tag", "*", "No regular expression: no argument for repetition"),
        ("match_status", [], "Tick at least one."),
        ("match_status", ["passing"], "passing is not one of the available choices"),
        ("group_by", ["tag"], "tag is not one of the available choices"),
        ("name", "", "This field is required."),
        ("name", "taken", "Route with this Name already exists."),
        ("wait_s", "-1", "greater than or equal to 0"),
        ("remind_every_s", "99999999999", "less than or equal to"),
        ("group_wait_s", "soon", "Enter a whole number."),
        ("notifiers", ["4711"], "4711 is not one of the available choices"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    as_admin: Client, field: str, value: Any, error: str
) -> None:
    make_route(make_notifier(), "taken")
    with nothing_changes():
        answer = as_admin.post(NEW, posted(**{field: value}))
    assert answer.status_code == 200
    assert error in str(answer.context["form"].errors[field])
    page = answer.content.decode()
    assert "Nothing was saved." in page
    assert error.split(":")[0] in page


def test_odd_names_are_escaped(as_admin: Client) -> None:
    make_notifier(ODD[:60])
    route = make_route(make_notifier(), ODD[:60], match={"service": ODD})
    assert "<script>alert" not in text(as_admin, edit(route))


def test_one_that_is_not_there(as_admin: Client) -> None:
    assert as_admin.get("/routes/1/").status_code == 404


def test_the_preview_counts_and_names_what_matches(as_admin: Client) -> None:
    cluster = make_cluster()
    see(
        cluster,
        observation("web-1", "critical"),
        observation("web-2", "passing"),
        observation("web-3", "warning"),
        observation("db", "critical"),
        observation("web-4", "critical"),
    )
    see(cluster, gone=(("n1", "web-4"),))
    with nothing_changes():
        answer = as_admin.post(
            PREVIEW, posted(match_check="web-.*", match_status=["critical"]), headers=HTMX
        )
    page = answer.content.decode()
    assert "Matches 3 of the 4 checks there are." in page
    assert "1 of them fails now" in page
    assert page.index("Check of web-1") < page.index("Check of web-2")
    assert "Check of db" not in page
    assert "Check of web-4" not in page
    assert "<html" not in page


def test_the_preview_needs_no_name_and_no_script(as_admin: Client) -> None:
    fail(make_cluster(), ODD, name=ODD)
    with nothing_changes():
        answer = as_admin.post(PREVIEW, posted(name="", match_node="n1"))
    page = answer.content.decode()
    assert "<html" in page
    assert "Matches 1 of the 1 checks there are." in page
    assert 'value="n1"' in page
    assert "Nothing was saved." not in page
    assert "<script>alert" not in page


def test_the_preview_says_what_is_wrong(as_admin: Client) -> None:
    answer = as_admin.post(PREVIEW, posted(match_node="n("), headers=HTMX)
    assert "Node: No regular expression" in answer.content.decode()


def test_the_preview_of_a_route_that_is_there_keeps_its_page(as_admin: Client) -> None:
    route = make_route(make_notifier())
    page = as_admin.post(PREVIEW, posted(route=route.pk, name="other")).content.decode()
    assert f'action="{edit(route)}"' in page
    assert Route.objects.get().name == "everything"
    assert as_admin.post(PREVIEW, posted(route="9" * 30)).status_code == 200


def test_the_preview_is_one_query(
    as_admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    see(make_cluster(), *(observation(f"c{number}") for number in range(100)))
    with django_assert_max_num_queries(5):
        page = as_admin.post(PREVIEW, posted(), headers=HTMX).content.decode()
    assert "Matches 100 of the 100" in page
    assert "The worst 10 of them." in page

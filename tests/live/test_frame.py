"""The frame around every page: who sees what, and what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from consulops.accounts.models import User
from consulops.alerts.models import Alert
from consulops.clusters.models import Cluster, ClusterState
from consulops.core.status import LOOKS, Status
from consulops.health.models import Check
from consulops.live import context
from tests.people import client_of


@pytest.fixture(autouse=True)
def _stub_addresses(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.core.urls"


def make_cluster(name: str, silent_s: float | None = 5, error: str = "", **more: object) -> Cluster:
    """A cluster that last answered so many seconds ago; None: never."""
    cluster = Cluster.objects.create(name=name, address="http://127.0.0.1:8500", **more)
    heard = None if silent_s is None else timezone.now() - timedelta(seconds=silent_s)
    ClusterState.objects.update_or_create(
        cluster=cluster, defaults={"answered_at": heard, "error": error}
    )
    return cluster


def make_alert(cluster: Cluster, status: Status, resolved: bool = False) -> None:
    now = timezone.now()
    check = Check.objects.create(
        cluster=cluster,
        node="n1",
        check_id=f"c{Check.objects.count()}",
        status=status,
        rank=LOOKS[status].rank,
        since=now,
        first_seen_at=now,
    )
    Alert.objects.create(
        cluster=cluster,
        check_ref=check,
        status=status,
        rank=LOOKS[status].rank,
        since=now,
        opened_at=now,
        resolved_at=now if resolved else None,
    )


def page(client: Client, address: str = "/style/", **headers: str) -> str:
    """The page's text, each run of white space as one blank."""
    return " ".join(client.get(address, headers=headers).content.decode().split())


def test_counts_stand_in_the_menu_the_title_and_the_icon(as_viewer: Client) -> None:
    cluster = make_cluster("dc1")
    make_alert(cluster, Status.CRITICAL)
    make_alert(cluster, Status.WARNING)
    make_alert(cluster, Status.CRITICAL, resolved=True)
    html = page(as_viewer)
    assert "<title>(1) Style" in html
    assert 'data-open="2"' in html
    assert 'data-critical="1"' in html
    assert 'class="pill pill-critical" data-alert-count>2</b>' in html
    assert 'href="/static/img/favicon-critical.svg"' in html


def test_a_calm_product_is_calm(as_viewer: Client) -> None:
    make_cluster("dc1")
    html = page(as_viewer)
    assert "<title>Style" in html
    assert "data-alert-count hidden>0</b>" in html
    assert "No answer from" not in html


def test_the_frame_costs_two_queries(
    viewer: User, as_viewer: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_cluster(f"dc{number}")
    # Session and person come before.
    with django_assert_num_queries(4):
        as_viewer.get("/style/")
    with django_assert_num_queries(2):
        as_viewer.get("/style/", headers={"HX-Request": "true"})


def test_a_stranger_sees_no_frame(stranger: Client, settings: Settings) -> None:
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "LoginRequired" not in one]
    html = page(stranger, "/style/alone/")
    assert "<nav" not in html
    assert "sse-connect" not in html
    assert 'class="page-alone"' in html


@pytest.mark.parametrize(
    ("role", "sees"), [("viewer", False), ("operator", False), ("admin", True)]
)
def test_people_and_the_audit_are_for_admins(
    request: pytest.FixtureRequest, role: str, sees: bool
) -> None:
    html = page(client_of(request.getfixturevalue(role)))
    assert ('href="/accounts/users"' in html) is sees
    assert ('href="/accounts/audit"' in html) is sees
    assert ("audit,users" in html) is sees


@pytest.mark.parametrize(
    ("silent_s", "error", "enabled", "words"),
    [
        (5, "", True, None),
        (44, "", True, None),
        (190, "", True, "for <time"),
        (5, "403: permission denied", True, "permission denied"),
        (190, "refused", False, None),
    ],
)
def test_a_cluster_that_does_not_answer_is_told_loudly(
    as_viewer: Client, silent_s: float, error: str, enabled: bool, words: str | None
) -> None:
    cluster = make_cluster("dc2", silent_s, error, enabled=enabled)
    for address in ("/style/", "/live/frame"):
        html = page(as_viewer, address)
        assert (f'No answer from <a href="/clusters/{cluster.pk}/">dc2</a>' in html) is bool(words)
        assert words is None or words in html


def test_a_new_cluster_has_time_to_answer_and_then_is_told(as_viewer: Client) -> None:
    cluster = make_cluster("dc3", silent_s=None)
    assert "has not answered yet" not in page(as_viewer)
    Cluster.objects.filter(pk=cluster.pk).update(
        created_at=timezone.now() - context.STALE_AFTER * 2,
        updated_at=timezone.now() - context.STALE_AFTER * 2,
    )
    assert "has not answered yet" in page(as_viewer)


def test_the_chosen_cluster_colours_the_bar_and_stays_chosen(as_viewer: Client) -> None:
    make_cluster("dc1", colour="red")
    html = page(as_viewer, "/style/?cluster=dc1&q=web")
    assert 'class="top stripe-red"' in html
    assert 'href="/alerts/list?cluster=dc1"' in html
    assert 'href="?cluster=dc1&amp;q=web" aria-current="true"' in html
    assert 'class="top stripe-none"' in page(as_viewer, "/style/?cluster=elsewhere")


def test_names_cannot_leave_their_place(as_viewer: Client) -> None:
    make_cluster("<script>x</script>", 190)
    assert "<script>x" not in page(as_viewer)


def test_a_fragment_neither_shows_nor_uses_up_messages(as_viewer: Client) -> None:
    assert "Saved route" not in page(as_viewer, "/style/?toast=1", **{"HX-Request": "true"})
    assert "Saved route" in page(as_viewer)


def test_missing_pages_have_the_frame(as_viewer: Client) -> None:
    answer = as_viewer.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()
    assert "<nav" in answer.content.decode()


def test_a_failed_page_needs_neither_database_nor_request() -> None:
    html = render_to_string("500.html")
    assert "This page failed" in html
    assert "<nav" not in html

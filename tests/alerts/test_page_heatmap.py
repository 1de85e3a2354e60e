"""The map of which services failed when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.core.status import Status
from consulops.health.heatmap import LIMITS_S, SERVICES_SHOWN, SPANS, begin_of, level
from consulops.health.hours import HOUR
from consulops.health.models import Check, Source
from tests.alerts.pages import nothing_changes, text
from tests.health.things import ODD, links_of, make_check, make_cluster, make_hour

pytestmark = pytest.mark.django_db

PAGE = "/heatmap/"
BUDGET = 8
NOW = datetime(2026, 3, 5, 14, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _then() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def rows(client: Client, **query: str) -> list[dict[str, Any]]:
    """The cells of the map as its file has them."""
    found: list[dict[str, Any]] = json.loads(
        client.get(PAGE, {**query, "format": "json"}).getvalue()
    )
    return found


def services(client: Client, **query: str) -> list[str]:
    """The services of the map, from the worst on."""
    return [row.service for row in client.get(PAGE, query).context["rows"]]


def steady(name: str, **more: Any) -> Check:
    """A check of the service of this name that passes, and has for long."""
    cluster = more.pop("cluster", None) or make_cluster()
    return make_check(cluster, check_id=name, service=name, minutes=60 * 24 * 50, **more)


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    make_hour(steady("web"), 2, critical_s=90)
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(PAGE).status_code == status
        assert client.get(PAGE, {"format": "csv"}).status_code == status


def test_worst_first_with_all_checks_of_a_service_together(as_viewer: Client) -> None:
    cluster = make_cluster()
    first, second = (make_check(cluster, check_id=one, service="web") for one in ("a", "b"))
    make_hour(first, 2, critical_s=600, warning_s=60)
    make_hour(second, 2, critical_s=600)
    make_hour(steady("db", cluster=cluster), 3, critical_s=1000)
    make_hour(steady("calm", cluster=cluster), 3, maintenance_s=3600, unknown_s=3600)
    assert services(as_viewer) == ["web", "db"]
    assert [(row["critical_s"], row["warning_s"], row["checks"]) for row in rows(as_viewer)] == [
        (1200, 60, 2),
        (1000, 0, 1),
    ]
    page = text(as_viewer, PAGE)
    assert "web, 05 Mar 12:00–13:00 UTC: critical 20 min, warning 1 min; 2 checks" in page  # noqa: RUF001 - as the page writes it


def test_what_still_lasts_counts_until_now(as_viewer: Client) -> None:
    make_check(make_cluster(), Status.CRITICAL, service="web", minutes=95)
    assert [(row["begin"], row["critical_s"]) for row in rows(as_viewer)] == [
        ("2026-03-05T12:00:00+00:00", 300),
        ("2026-03-05T13:00:00+00:00", 3600),
        ("2026-03-05T14:00:00+00:00", 1799),
    ]


def test_what_nobody_saw_counts_until_the_cluster_last_answered(as_viewer: Client) -> None:
    cluster = make_cluster(answered=3600)
    make_check(cluster, Status.WARNING, service="web", minutes=90)
    assert sum(row["warning_s"] for row in rows(as_viewer)) == 1800


def test_an_hour_that_is_over_and_a_state_that_lasts_are_added(as_viewer: Client) -> None:
    check = make_check(make_cluster(), Status.CRITICAL, service="web", minutes=10)
    make_hour(check, 0, critical_s=60)
    (row,) = rows(as_viewer)
    assert (row["critical_s"], row["checks"]) == (659, 1)


@pytest.mark.parametrize(
    ("span", "begin"),
    [("24h", "03-04 15:00"), ("7d", "02-26 18:00"), ("30d", "02-04 00:00")],
)
def test_each_span_ends_with_the_block_that_is_now(span: str, begin: str) -> None:
    found = begin_of(SPANS[span], NOW)
    assert f"{found:%m-%d %H:%M}" == begin
    assert found + SPANS[span].length > NOW >= found + SPANS[span].length - SPANS[span].block


@pytest.mark.parametrize(("span", "shown"), [("24h", 1), ("7d", 2), ("30d", 3), ("x", 1)])
def test_spans(as_viewer: Client, span: str, shown: int) -> None:
    check = steady("web")
    for hours in (1, 26, 24 * 20, 24 * 40):
        make_hour(check, hours, critical_s=60)
    assert len(rows(as_viewer, span=span)) == shown
    (row,) = as_viewer.get(PAGE, {"span": span}).context["rows"]
    assert sum(square.level > 0 for square in row.squares) == shown


def test_earlier_times(as_viewer: Client) -> None:
    make_hour(steady("web"), 30, critical_s=60)
    assert rows(as_viewer) == []
    earlier = as_viewer.get(PAGE).context["earlier"]
    assert len(rows(as_viewer, to=earlier)) == 1
    page = as_viewer.get(PAGE, {"to": earlier})
    assert page.context["later"]
    assert rows(as_viewer, to="2099-01-01") == rows(as_viewer, to="nonsense") == []


def test_a_cell_leads_to_its_history(as_viewer: Client) -> None:
    check = steady("a/b c&d")
    make_hour(check, 2, critical_s=60)
    links = [link for link in links_of(as_viewer, PAGE) if link.startswith("/history/?cluster")]
    (link,) = [link for link in links if "service" in link]
    sought = as_viewer.get(link).context["sought"]
    assert (sought.cluster, sought.service) == ("dc1", "a/b c&d")
    assert (sought.begin, sought.end) == (
        NOW.replace(hour=12, minute=0),
        NOW.replace(hour=13, minute=0),
    )


def test_filters(as_viewer: Client) -> None:
    one, two = make_cluster("dc1"), make_cluster("dc2")
    for cluster, name in [(one, "web_1"), (one, "db"), (two, "web-1")]:
        make_hour(steady(name, cluster=cluster), 1, critical_s=60)
    assert services(as_viewer, q="WEB") == ["web-1", "web_1"]
    assert services(as_viewer, q="web_") == ["web_1"]
    assert services(as_viewer, q="web 1", cluster="dc2") == ["web-1"]
    assert services(as_viewer, cluster="none") == []
    assert "No such service failed" in text(as_viewer, PAGE, q="%")


def test_the_worst_of_many(as_viewer: Client) -> None:
    cluster = make_cluster()
    for number in range(SERVICES_SHOWN + 3):
        make_hour(steady(f"s{number:02}", cluster=cluster), 1, critical_s=number + 1)
    found = services(as_viewer)
    assert (len(found), found[0]) == (SERVICES_SHOWN, f"s{SERVICES_SHOWN + 2}")
    assert f"The worst {SERVICES_SHOWN} of {SERVICES_SHOWN + 3} services" in text(as_viewer, PAGE)


def test_what_is_no_service_of_consul_is_left_out(as_viewer: Client) -> None:
    cluster = make_cluster()
    make_hour(make_check(cluster, check_id="serfHealth", service=""), 1, critical_s=60)
    rule = make_check(cluster, check_id="rule", service="web", node="", source=Source.RULE)
    make_hour(rule, 1, critical_s=60)
    assert "No service failed" in text(as_viewer, PAGE)


def test_intensity_is_failing_time_an_hour() -> None:
    assert [level(seconds, HOUR) for seconds in (0, 1, *LIMITS_S, LIMITS_S[-1] + 1)] == [
        *(0, 1, 1, 2, 3, 4, 5),
    ]
    assert level(6 * LIMITS_S[0], 6 * HOUR) == 1
    assert level(6 * LIMITS_S[0] + 1, timedelta(hours=6)) == 2


def test_odd_names_are_escaped(as_viewer: Client) -> None:
    make_hour(make_check(make_cluster(), service=ODD), 1, critical_s=60)
    assert "<script>alert" not in text(as_viewer, PAGE)
    assert services(as_viewer, q=ODD.split()[0]) == [ODD]


def test_queries_do_not_grow(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    cluster = make_cluster()
    for number in range(30):
        check = steady(f"s{number}", cluster=cluster)
        for hours in range(5):
            make_hour(check, hours, critical_s=60)
    with django_assert_max_num_queries(BUDGET):
        assert len(services(as_viewer)) == 30

"""The list of clusters."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from consulops.core.status import Status
from tests.clusters.things import TOKEN, known, make_check, make_cluster, make_healthy

PAGE = "/clusters/"
BUDGET = 9


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 200), ("as_viewer", 200), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    for address in [PAGE, f"{PAGE}?format=json"]:
        assert client.get(address).status_code == status


def test_what_it_says_of_a_cluster(as_viewer: Client) -> None:
    cluster = make_healthy(address="https://consul.example:8501", colour="red")
    make_check(cluster, Status.CRITICAL), make_check(cluster, check_id="b")
    make_check(cluster, Status.GONE, check_id="c")
    page = as_viewer.get(PAGE).content.decode()
    for text in [
        "dc1",
        "https://consul.example:8501",
        "1 of 2 checks critical. One more server may fail.",
        f"10.0.{cluster.pk}.1:8300",
        "1.8.7",
        "1 of 2",
        "dot-red",
    ]:
        assert text in page


def test_worst_first(as_viewer: Client) -> None:
    good, bad = make_healthy("good"), make_healthy("bad")
    make_check(good), make_check(bad, Status.CRITICAL)
    rows = as_viewer.get(PAGE).context["rows"]
    assert [row.cluster.name for row in rows] == ["bad", "good"]


def test_an_old_answer_is_loud(as_viewer: Client) -> None:
    cluster = make_healthy()
    make_check(cluster)
    known(cluster, answered_at=timezone.now() - timedelta(minutes=3))
    row = as_viewer.get(PAGE).context["rows"][0]
    assert row.is_late
    assert row.verdict.status is Status.UNKNOWN
    assert "Not watched for 3 min" in as_viewer.get(PAGE).content.decode()


def test_the_same_consul_twice_is_said(as_viewer: Client) -> None:
    for name in ("first", "second"):
        known(make_healthy(name), datacenter="dc1", leader="10.0.0.1:8300")
    page = as_viewer.get(PAGE).content.decode()
    assert "The same Consul as first?" in page
    assert "The same Consul as second?" in page


def test_only_an_admin_is_offered_to_add_one(as_viewer: Client, as_admin: Client) -> None:
    assert "/clusters/new/" not in as_viewer.get(PAGE).content.decode()
    assert "/clusters/new/" in as_admin.get(PAGE).content.decode()


def test_it_shows_no_secret_and_works_with_a_lost_key(as_admin: Client, settings: Settings) -> None:
    make_healthy(token=TOKEN)
    assert TOKEN not in as_admin.get(PAGE).content.decode()
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert as_admin.get(PAGE).status_code == 200


def test_what_consul_says_is_escaped(as_viewer: Client) -> None:
    cluster = make_cluster()
    known(cluster, error="<script>alert(1)</script>", error_at=timezone.now(), leader="<b>x</b>")
    page = as_viewer.get(PAGE).content.decode()
    assert "<script>alert(1)" not in page
    assert "<b>x</b>" not in page


def test_the_same_as_csv_and_json(as_viewer: Client) -> None:
    cluster = make_healthy()
    make_check(cluster, Status.CRITICAL)
    rows = json.loads(as_viewer.get(f"{PAGE}?format=json").getvalue())
    assert (rows[0]["name"], rows[0]["critical"], rows[0]["servers"]) == ("dc1", 1, 3)
    lines = list(
        csv.DictReader(io.StringIO(as_viewer.get(f"{PAGE}?format=csv").getvalue().decode()))
    )
    assert lines[0]["verdict"] == "1 of 1 check critical. One more server may fail."


def test_queries_do_not_grow_with_the_clusters(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        make_check(make_healthy(f"dc{number}"), Status.CRITICAL)
    with django_assert_max_num_queries(BUDGET):
        as_viewer.get(PAGE)

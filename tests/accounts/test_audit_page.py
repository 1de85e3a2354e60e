"""The audit page: an admin's only, filtered by its query string."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.audit import Actor, record
from consulops.accounts.models import AuditEntry, User
from consulops.accounts.readable import LONGEST_VALUE, Line, lines
from consulops.clusters.models import Cluster

BUDGET = 10
APPLY = Actor.named("apply")


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_open_it(request: pytest.FixtureRequest, who: str, status: int) -> None:
    client: Client = request.getfixturevalue(who)
    for address in ["/audit/", "/audit/?format=csv"]:
        assert client.get(address).status_code == status


@pytest.fixture
def history(operator: User, db: None) -> list[AuditEntry]:
    otto = Actor(operator, "otto", "192.0.2.7")
    dc1 = Cluster.objects.create(name="dc1", address="http://127.0.0.1:8500")
    change = {"changed": {"address": {"from": "http://old", "to": "http://new"}}}
    entries = [
        record(APPLY, "cluster.created", dc1),
        record(otto, "cluster.updated", dc1, change),
        record(otto, "user.signed_in", operator),
    ]
    AuditEntry.objects.filter(pk=entries[0].pk).update(at=timezone.now() - timedelta(days=3))
    return entries


def told(client: Client, query: str) -> list[str]:
    response = client.get(f"/audit/{query}")
    return [entry.action for entry in response.context["page"].rows]


def test_newest_first_with_who_what_where_and_the_change(
    as_admin: Client, history: list[AuditEntry]
) -> None:
    assert told(as_admin, "") == ["user.signed_in", "cluster.updated", "cluster.created"]
    page = as_admin.get("/audit/").content.decode()
    for text in ["otto", "192.0.2.7", "dc1", "http://old", "http://new", "apply"]:
        assert text in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?actor=apply", ["cluster.created"]),
        ("?action=cluster.", ["cluster.updated", "cluster.created"]),
        ("?action=user.signed_in", ["user.signed_in"]),
        ("?object=cluster", ["cluster.updated", "cluster.created"]),
        ("?object=dc", ["cluster.updated", "cluster.created"]),
        ("?object=nothing", []),
        ("?until={yesterday}", ["cluster.created"]),
        ("?since={yesterday}", ["user.signed_in", "cluster.updated"]),
        ("?actor=otto&object=cluster", ["cluster.updated"]),
        ("?since=rubbish&actor=apply", ["cluster.created"]),
        ("?after=rubbish", ["user.signed_in", "cluster.updated", "cluster.created"]),
        ("?actor=%00", ["user.signed_in", "cluster.updated", "cluster.created"]),
    ],
)
def test_filter(
    as_admin: Client, history: list[AuditEntry], query: str, expected: list[str]
) -> None:
    yesterday = f"{timezone.now() - timedelta(days=1):%Y-%m-%dT%H:%M}"
    assert told(as_admin, query.format(yesterday=yesterday)) == expected


def test_unreadable_part_of_the_filter_is_named(as_admin: Client) -> None:
    assert "left out" in as_admin.get("/audit/?since=rubbish").content.decode()


def test_pages_follow_each_other_without_gap_or_repeat(as_admin: Client) -> None:
    AuditEntry.objects.bulk_create(
        AuditEntry(actor_name="apply", action=f"step.{number}") for number in range(250)
    )
    seen: list[str] = []
    query = ""
    while True:
        page = as_admin.get(f"/audit/{query}").context["page"]
        seen += [entry.action for entry in page.rows]
        if not page.following:
            break
        query = f"?after={page.following}"
    assert seen == [f"step.{number}" for number in reversed(range(250))]


def test_page_in_few_queries(
    as_admin: Client,
    history: list[AuditEntry],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(BUDGET):
        as_admin.get("/audit/")


def test_export_takes_the_filter_along(as_admin: Client, history: list[AuditEntry]) -> None:
    response = as_admin.get("/audit/?actor=otto&object=cluster&format=json")
    (row,) = json.loads(b"".join(response.streaming_content))  # type: ignore[attr-defined]
    assert (row["who"], row["address"], row["object"]) == ("otto", "192.0.2.7", "dc1")
    assert row["detail"]["changed"]["address"]["to"] == "http://new"


def test_names_and_values_cannot_bring_markup(as_admin: Client, db: None) -> None:
    evil = "<script>alert(1)</script>"
    record(Actor.named(evil), evil, None, {"changed": {evil: {"from": evil, "to": evil}}})
    assert "<script>alert" not in as_admin.get("/audit/").content.decode()


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({}, []),
        ({"changed": {"a": {"from": None, "to": ""}}}, [Line("a", "empty", "nothing")]),
        ({"changed": {"token": "changed"}}, [Line("token", "changed")]),
        ({"changed": {"is_active": {"from": True, "to": False}}}, [Line("is active", "no", "yes")]),
        ({"changed": ["a", "b"]}, [Line("a", "changed"), Line("b", "changed")]),
        (
            {"on": True, "changed": {"n": {"from": 1, "to": 2}}},
            [Line("n", "2", "1"), Line("on", "yes")],
        ),
        ({"list": ["ä", 1]}, [Line("list", '["ä", 1]')]),
        ({"long": "x" * 1000}, [Line("long", "x" * LONGEST_VALUE + "…")]),
        ({"changed": "everything"}, [Line("changed", "everything")]),
    ],
)
def test_detail_in_words(detail: dict[str, object], expected: list[Line]) -> None:
    assert lines(detail) == expected

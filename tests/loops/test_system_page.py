"""The System page tells whether the product itself is well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Task

from consulops.clusters.models import Cluster
from consulops.loops import registry
from consulops.loops.models import Lease, Supervisor, Worker
from tests.loops.test_supervisor import Witness

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_loops", {})
    registry.register(Witness("1", "2"))


def text_of(client: Client) -> str:
    answer = client.get(reverse("loops:system"))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_needs_a_signed_in_person(stranger: Client) -> None:
    assert stranger.get(reverse("loops:system")).status_code == 302


def test_says_loudly_that_nobody_runs_the_loops(as_viewer: Client) -> None:
    Cluster.objects.create(name="never-asked", address="http://127.0.0.1:1")
    text = text_of(as_viewer)
    assert text.count("Nobody runs it") == 2
    assert "No supervisor is alive" in text


def test_shows_who_runs_what_and_what_went_wrong(as_viewer: Client) -> None:
    now = timezone.now()
    Supervisor.objects.create(
        owner="web7:41:f-x", host="web7", pid=41, started_at=now, beat_at=now, loops=1
    )
    Worker.objects.create(process="ops", host="web7", pid=40, started_at=now, beat_at=now)
    Worker.objects.create(
        process="watch", host="web8", pid=50, started_at=now, beat_at=now - timedelta(minutes=1)
    )
    Lease.objects.create(
        key="witness:1",
        owner="web7:41:f-x",
        epoch=17,
        expires_at=now + timedelta(seconds=5),
        started_at=now,
        restarts=3,
        error="ValueError: <b>broke</b>",
        error_at=now,
    )
    Lease.objects.create(key="gone:1", owner="web7:41:f-x", expires_at=now - timedelta(hours=1))
    Task.objects.create(
        id="1" * 32, func="some.task", started=now, stopped=now, success=False, result="it failed"
    )
    text = text_of(as_viewer)
    assert text.count("Nobody runs it") == 1
    assert "ValueError: &lt;b&gt;broke&lt;/b&gt;" in text
    assert "gone:1" not in text
    assert "it failed" in text
    assert text.count("Silent") == 1
    assert text.count("Alive") == 1


def test_counts_a_mailbox_to_its_queue(as_viewer: Client) -> None:
    now = timezone.now()
    OrmQ.objects.create(key="watch@abc", payload="", lock=now - timedelta(seconds=1))
    OrmQ.objects.create(key="ops", payload="", lock=now + timedelta(hours=1))
    answer = as_viewer.get(reverse("loops:system"))
    rows = {row.name: (row.waiting, row.taken) for row in answer.context["queues"]}
    assert rows == {"watch": (1, 0), "ops": (0, 1)}


def test_costs_the_same_few_queries_for_many_rows(
    as_viewer: Client, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    Lease.objects.bulk_create(
        Lease(key=f"witness:{number}", owner="x", expires_at=now + timedelta(hours=1))
        for number in range(300)
    )
    with django_assert_max_num_queries(20):
        text_of(as_viewer)

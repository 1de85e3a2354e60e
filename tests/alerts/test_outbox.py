"""What is written after an attempt, and what must not be written over."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from consulops.accounts.audit import Actor
from consulops.alerts import desk, outbox
from consulops.alerts.models import Delivery
from consulops.alerts.outbox import Result
from consulops.notifiers.base import SendError
from tests.alerts.factories import (
    fail,
    make_cluster,
    make_notifier,
    make_route,
    observation,
    see,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def given_up() -> Delivery:
    """A message on its way, as the courier holds it, that a person gives up meanwhile."""
    make_route(make_notifier())
    fail(make_cluster())
    held = Delivery.objects.get()
    desk.give_up(Actor.named("ada"), Delivery.objects.get())
    return held


def stamp(delivery: Delivery, error: SendError | None) -> str:
    result = Result(delivery, timezone.now(), 5, "" if error else "HTTP 200 OK", error)
    outbox.stamp([result], lambda: None)
    return Delivery.objects.get().state


def test_what_was_given_up_is_not_tried_again(given_up: Delivery) -> None:
    assert stamp(given_up, SendError("refused")) == "failed"
    assert Delivery.objects.get().attempts.count() == 1


def test_what_was_taken_all_the_same_is_sent(given_up: Delivery) -> None:
    assert stamp(given_up, None) == "sent"


def test_what_was_sent_long_ago_is_not_walked_past() -> None:
    make_route(make_notifier())
    cluster = make_cluster()
    see(cluster, *(observation(f"c{number}", node=f"n{number}") for number in range(400)))
    Delivery.objects.update(state="sent")
    see(cluster, *(observation(f"d{number}", node=f"n{number}") for number in range(30)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE alerts_delivery")
        values: dict[str, Any] = {"now": timezone.now(), "busy": [], "limit": 10}
        # Whatever PostgreSQL thinks of so small a table.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {outbox._DUE}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "delivery_waiting" in plan
    assert "alerts_delivery_pkey" not in plan
    assert len(outbox.due([])) == 30

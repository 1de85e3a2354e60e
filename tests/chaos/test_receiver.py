"""The receiver of messages goes away and comes back."""

from __future__ import annotations

import pytest
from django.utils import timezone

from consulops.alerts.models import Delivery
from tests.alerts.factories import make_cluster, make_notifier, make_route, observation, see
from tests.looping import RunningLoop
from tests.receivers import WebhookReceiver, free_port
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

FAILING = 50


def test_what_could_not_be_sent_is_sent_when_it_is_back() -> None:
    cluster = make_cluster()
    port = free_port()
    make_route(make_notifier(url=f"http://127.0.0.1:{port}/hook"))
    sent = Delivery.objects.filter(state="sent")
    with RunningLoop("courier"):
        with WebhookReceiver(port=port) as before:
            see(cluster, observation("first"))
            eventually(lambda: sent.count() == 1)
        see(cluster, *(observation(f"check-{number}") for number in range(FAILING)))
        eventually(lambda: Delivery.objects.filter(state="retrying").count() == FAILING)
        assert "refused" in Delivery.objects.filter(state="retrying").latest("pk").error
        see(cluster, *(observation(f"check-{number}", "passing") for number in range(FAILING)))
        with WebhookReceiver(port=port) as after:
            # Not to wait for the back-off, which its own tests cover.
            eventually(lambda: _try_now() and sent.count() == 1 + 2 * FAILING)
    assert len(before.requests) == 1
    keys = [request.headers["Idempotency-Key"] for request in after.requests]
    assert len(keys) == len(set(keys)) == 2 * FAILING
    told: dict[str, list[str]] = {}
    for request in after.requests:
        message = request.json()
        told.setdefault(message["alerts"][0]["check"], []).append(message["reason"])
    assert set(map(tuple, told.values())) == {("opened", "resolved")}


def _try_now() -> bool:
    Delivery.objects.filter(state="retrying").update(next_attempt_at=timezone.now())
    return True

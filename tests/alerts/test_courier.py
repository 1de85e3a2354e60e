"""The courier with real receivers: everything arrives, in order, at least once."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from consulops.alerts import courier
from consulops.alerts.models import Alert, Attempt, Delivery
from consulops.clusters.models import Cluster
from consulops.loops.context import LeaseLost
from consulops.loops.models import Lease
from consulops.notifiers.models import Notifier
from tests.alerts.factories import (
    fail,
    make_cluster,
    make_notifier,
    make_route,
    mend,
    observation,
    see,
)
from tests.looping import RunningLoop
from tests.receivers import Answer, Request, WebhookReceiver
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def cluster() -> Cluster:
    return make_cluster()


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def due_now() -> None:
    """Makes what waits for its next attempt wait no longer."""
    Delivery.objects.filter(state="retrying").update(next_attempt_at=timezone.now())


def test_a_delivery_arrives_and_is_stamped_afterwards(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    make_route(make_notifier(url=hook.url))
    with RunningLoop("courier"):
        fail(cluster)
        request = hook.next()
        delivery = eventually(lambda: Delivery.objects.filter(state="sent").first())
    assert delivery is not None
    assert request.headers["Idempotency-Key"] == str(delivery.key) == request.json()["id"]
    body = request.body.decode()
    assert body.index('"check"') < body.index('"status"')
    attempt = Attempt.objects.get()
    assert (attempt.ok, delivery.attempt_count) == (True, 1)
    assert Notifier.objects.get().sent_at is not None


def test_what_waited_while_nobody_sent_is_sent_at_start(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    make_route(make_notifier(url=hook.url))
    fail(cluster)
    with RunningLoop("courier"):
        assert hook.next().json()["reason"] == "opened"


def test_a_failing_receiver_is_tried_again_under_the_same_key(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    make_route(make_notifier(url=hook.url))
    answers = iter([Answer(500, "boom"), Answer(503), Answer(200)])
    hook.answer = lambda request: next(answers)
    with RunningLoop("courier"):
        fail(cluster)
        requests = hook.take(3)
        eventually(lambda: states() == {"sent": 1})
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1
    assert [attempt.ok for attempt in Attempt.objects.all()] == [False, False, True]
    assert "boom" in Attempt.objects.earliest("pk").answer
    assert Notifier.objects.get().error == ""


def test_the_receiver_may_ask_for_patience(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    hook.answer = Answer(429, headers={"Retry-After": "3600"})
    with RunningLoop("courier"):
        fail(cluster)
        hook.next()
        delivery = eventually(lambda: Delivery.objects.filter(state="retrying").first())
    assert delivery is not None
    assert delivery.next_attempt_at > timezone.now() + timedelta(minutes=59)


def test_a_permanent_error_is_final_and_shown_on_the_notifier(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    make_route(make_notifier(url=hook.url))
    hook.answer = Answer(404, "no such hook")
    with RunningLoop("courier"):
        fail(cluster)
        eventually(lambda: states() == {"failed": 1})
    notifier = Notifier.objects.get()
    assert notifier.error_is_permanent
    assert "404" in notifier.error
    assert len(hook.requests) == 1


def test_a_message_older_than_a_day_is_given_up(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    hook.answer = Answer(500)
    fail(cluster)
    Delivery.objects.update(created_at=timezone.now() - timedelta(hours=25))
    with RunningLoop("courier"):
        eventually(lambda: states() == {"failed": 1})


def test_a_hanging_notifier_delays_no_other(cluster: Cluster, hook: WebhookReceiver) -> None:
    with WebhookReceiver() as stuck:
        stuck.answer = Answer(hang=True)
        route = make_route(make_notifier("stuck", stuck.url, concurrency=2, timeout_s=120))
        route.notifiers.add(make_notifier("good", hook.url))
        with RunningLoop("courier"):
            see(cluster, *(observation(f"check-{n}") for n in range(50)))
            checks = {one.json()["alerts"][0]["check"] for one in hook.take(50)}
            # Only so many as its limit allows are under way at the one that hangs.
            assert len(stuck.requests) == 2
    assert len(checks) == 50


def test_a_recovery_never_overtakes_its_failure(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    hook.answer = Answer(500)
    with RunningLoop("courier"):
        fail(cluster)
        hook.next()
        eventually(lambda: states()["retrying"])
        mend(cluster)
        fail(cluster, "other")
        # Another check's message passes by; the recovery waits behind its failure.
        assert hook.next().json()["alerts"][0]["check"] == "other"
        hook.answer = Answer(200)
        due_now()
        reasons = [
            one.json()["reason"]
            for one in hook.take(3)
            if one.json()["alerts"][0]["check"] == "web"
        ]
    assert reasons == ["opened", "resolved"]


def test_500_failures_at_once_all_arrive_once(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    with RunningLoop("courier"):
        see(cluster, *(observation(f"check-{n}") for n in range(500)))
        got = Counter(one.json()["alerts"][0]["check"] for one in hook.take(500, 30))
        eventually(lambda: states() == {"sent": 500})
    assert len(got) == 500
    assert set(got.values()) == {1}


def test_a_changed_notifier_is_used_at_once(cluster: Cluster, hook: WebhookReceiver) -> None:
    notifier = make_notifier(url="http://127.0.0.1:1/nobody")
    make_route(notifier)
    with RunningLoop("courier"):
        fail(cluster)
        eventually(lambda: states()["retrying"])
        notifier.config = {"url": hook.url}
        notifier.save()
        due_now()
        assert hook.next().json()["reason"] == "opened"


def test_a_deleted_notifier_leaves_no_waiting_message(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    notifier = make_notifier(url=hook.url)
    make_route(notifier)
    fail(cluster)
    notifier.delete()
    with RunningLoop("courier"):
        eventually(lambda: states() == {"failed": 1})
    assert "deleted" in Delivery.objects.get().error


def test_a_notifier_deleted_meanwhile_leaves_no_waiting_message_either(
    cluster: Cluster, hook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LOOK_EVERY_S", 0.2)
    notifier = make_notifier(url=hook.url)
    make_route(notifier)
    hook.answer = Answer(429, headers={"Retry-After": "3600"})
    with RunningLoop("courier"):
        fail(cluster)
        eventually(lambda: states() == {"retrying": 1})
        notifier.delete()
        eventually(lambda: states() == {"failed": 1})


def test_a_kind_that_is_unknown_here_is_an_error_on_the_notifier(cluster: Cluster) -> None:
    notifier = make_notifier()
    make_route(notifier)
    Notifier.objects.update(kind="carrier-pigeon")
    fail(cluster)
    with RunningLoop("courier"):
        eventually(lambda: states() == {"failed": 1})
    assert "carrier-pigeon" in Notifier.objects.get().error


def test_odd_names_and_outputs_arrive_as_they_are(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_route(make_notifier(url=hook.url))
    odd = 'a/b "quoted" <script>alert(1)</script> größe 💥'
    with RunningLoop("courier"):
        fail(cluster, odd, output=odd, node=odd)
        alert = json.loads(hook.next().body)["alerts"][0]
    assert (alert["check"], alert["node"], alert["output"]) == (odd, odd, odd)
    assert Alert.objects.get().check_ref.check_id == odd


def test_a_lost_lease_stamps_nothing_and_the_successor_sends_again(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    stolen = threading.Event()

    def answer_late(request: Request) -> Answer:
        stolen.wait(10)
        return Answer(200)

    make_route(make_notifier(url=hook.url))
    hook.answer = answer_late
    with pytest.raises(LeaseLost), RunningLoop("courier") as running:
        fail(cluster)
        first = hook.next()
        Lease.objects.update(epoch=2)
        stolen.set()
        running.wait()
    assert states() == {"queued": 1}
    with RunningLoop("courier"):
        again = hook.next()
        eventually(lambda: states() == {"sent": 1})
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"]

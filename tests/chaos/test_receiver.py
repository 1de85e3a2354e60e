"""The receiver of messages goes away and comes back."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import trustme
from django.utils import timezone

from consulops.alerts import outbox
from consulops.alerts.models import Delivery
from consulops.core import postgres
from tests.alerts.factories import make_cluster, make_notifier, make_route, observation, see
from tests.chaos.proxy import Proxy
from tests.chaos.timing import measured
from tests.fake_consul import FakeConsul
from tests.looping import RunningLoop
from tests.notifiers.harness import pem, server_context
from tests.receivers import Answer, Request, WebhookReceiver, free_port
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

FAILING = 50


@dataclass
class Flaky:
    """A receiver that has its troubles until they are over, and what it accepted."""

    hook: WebhookReceiver
    proxy: Proxy
    trouble: Answer | None = None
    accepted: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        if self.trouble is not None:
            return self.trouble
        self.accepted.append(request.headers["Idempotency-Key"])
        return Answer()

    def recover(self) -> None:
        self.trouble = None
        self.proxy.heal()


def _stall(flaky: Flaky) -> None:
    flaky.proxy.stall()


def _break_off(flaky: Flaky) -> None:
    # The head and no more: the receiver has taken the message, and we cannot know.
    flaky.proxy.answer_bytes = 40


def _answers(answer: Answer) -> Callable[[Flaky], None]:
    def begin(flaky: Flaky) -> None:
        flaky.trouble = answer

    return begin


TROUBLES: dict[str, tuple[Callable[[Flaky], None], str]] = {
    "answers 500": (_answers(Answer(500, "boom")), "boom"),
    "hangs": (_answers(Answer(hang=True)), "timed out after 1 s"),
    "hangs up": (_answers(Answer(hang_up=True)), "closed before an answer"),
    "half an answer": (_break_off, "timed out after 1 s"),
    "packets are dropped": (_stall, "timed out after 1 s"),
}


@pytest.fixture
def flaky(hook: WebhookReceiver) -> Iterator[Flaky]:
    with Proxy(hook.port) as proxy:
        flaky = Flaky(hook, proxy)
        hook.answer = flaky.answer
        yield flaky


def sent(name: str) -> Any:
    return Delivery.objects.filter(notifier_name=name, state="sent")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_of_one_loses_nothing_and_delays_no_other(flaky: Flaky, trouble: str) -> None:
    begin, words = TROUBLES[trouble]
    with WebhookReceiver() as good:
        bad = make_notifier("bad", f"{flaky.proxy.url}/hook", timeout_s=1, concurrency=4)
        make_route(bad).notifiers.add(make_notifier("good", good.url))
        waiting = Delivery.objects.filter(notifier=bad)
        with RunningLoop("courier"):
            begin(flaky)
            see(make_cluster(), *(observation(f"check-{number}") for number in range(20)))
            # The other's have all arrived before a single one of these has.
            assert len({one.headers["Idempotency-Key"] for one in good.take(20)}) == 20
            assert not sent("bad").exists()
            eventually(waiting.filter(state="retrying", error__contains=words).exists)
            flaky.recover()
            with measured(f"{trouble}: 20 messages after it is over"):
                eventually(lambda: _try_now() and sent("bad").count() == 20)
    keys = {str(one.key) for one in waiting}
    assert set(flaky.accepted) == keys
    assert len(good.requests) == 20
    if trouble != "half an answer":
        assert Counter(flaky.accepted) == dict.fromkeys(keys, 1)


def test_what_could_not_be_sent_is_sent_when_it_is_back() -> None:
    cluster = make_cluster()
    port = free_port()
    make_route(make_notifier(url=f"http://127.0.0.1:{port}/hook"))
    done = Delivery.objects.filter(state="sent")
    with RunningLoop("courier"):
        with WebhookReceiver(port=port) as before:
            see(cluster, observation("first"))
            eventually(lambda: done.count() == 1)
        see(cluster, *(observation(f"check-{number}") for number in range(FAILING)))
        eventually(lambda: Delivery.objects.filter(state="retrying").count() == FAILING)
        assert "refused" in Delivery.objects.filter(state="retrying").latest("pk").error
        see(cluster, *(observation(f"check-{number}", "passing") for number in range(FAILING)))
        what = f"refused: {2 * FAILING} messages after it is back"
        with WebhookReceiver(port=port) as after, measured(what):
            # Not to wait for the back-off, which its own tests cover.
            eventually(lambda: _try_now() and done.count() == 1 + 2 * FAILING)
    assert len(before.requests) == 1
    keys = [request.headers["Idempotency-Key"] for request in after.requests]
    assert len(keys) == len(set(keys)) == 2 * FAILING
    told: dict[str, list[str]] = {}
    for request in after.requests:
        message = request.json()
        told.setdefault(message["alerts"][0]["check"], []).append(message["reason"])
    assert set(map(tuple, told.values())) == {("opened", "resolved")}


def test_a_certificate_that_is_not_trusted_holds_messages_back() -> None:
    ours = trustme.CA()
    # The receiver ends after the courier, which must close the connection that they keep.
    with ExitStack() as stack, RunningLoop("courier"):
        with FakeConsul(server_context(trustme.CA())) as impostor:
            notifier = make_notifier(url=f"{impostor.address}/hook")
            notifier.config["ca_certificate"] = pem(ours)
            notifier.save()
            make_route(notifier)
            see(make_cluster(), observation())
            eventually(Delivery.objects.filter(error__contains="not trusted").exists)
        port = int(impostor.address.rpartition(":")[2])
        receiver = stack.enter_context(WebhookReceiver(server_context(ours), port))
        eventually(lambda: _try_now() and sent("hook").exists())
    assert (len(impostor.asked), len(receiver.requests)) == (0, 1)


def test_messages_wait_for_a_name_that_does_not_resolve(
    hook: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, is_down = socket.getaddrinfo, True

    def answer(host: Any, *arguments: Any, **more: Any) -> Any:
        if host != "hook.test":
            return resolve(host, *arguments, **more)
        if is_down:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve("127.0.0.1", *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    make_route(make_notifier(url=f"http://hook.test:{hook.port}/hook"))
    with RunningLoop("courier"):
        see(make_cluster(), observation())
        eventually(Delivery.objects.filter(error__contains="cannot be resolved").exists)
        is_down = False
        eventually(lambda: _try_now() and sent("hook").exists())
    assert len(hook.requests) == 1


def test_what_falls_due_while_the_courier_looks_is_not_forgotten() -> None:
    make_route(make_notifier())
    see(make_cluster(), observation())
    looked_at = timezone.now()
    meanwhile = looked_at + timedelta(milliseconds=1)
    Delivery.objects.update(state="retrying", next_attempt_at=meanwhile)
    eventually(lambda: timezone.now() > meanwhile)
    assert outbox.next_attempt_at(looked_at) == meanwhile


def _try_now() -> bool:
    Delivery.objects.filter(state="retrying").update(next_attempt_at=timezone.now())
    postgres.notify(postgres.DELIVERIES)
    return True

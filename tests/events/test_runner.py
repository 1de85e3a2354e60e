"""Handlers run once for each event: webhooks again when they must, programs never again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.events import queue
from consulops.events.models import Event, Run, RunState
from consulops.events.runner import next_attempt
from consulops.notifiers.base import SendError
from consulops.notifiers.executables import MOST_OUTPUT
from tests.events.things import (
    heard,
    make_event,
    make_handler,
    make_program_handler,
    make_run,
    take,
    write_program,
)
from tests.looping import RunningLoop
from tests.receivers import Answer, Request, WebhookReceiver
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

LOOP = "event-handlers"


def ended(count: int = 1) -> list[Run]:
    """The runs, once so many have come to their end."""
    over = Run.objects.filter(finished_at__isnull=False).order_by("pk")
    return eventually(lambda: list(over) if over.count() == count else [])


def happen(cluster: Cluster, *names: str, payload: bytes = b"v1") -> list[Event]:
    """Fresh events of these names."""
    take(cluster)
    take(cluster, *(heard(name=name, payload=payload) for name in names))
    return list(Event.objects.order_by("pk"))


def until(path: Path) -> str:
    """A shell script that waits for a file, a minute at most."""
    return f"for _ in $(seq 600); do test -e {path} && break; sleep 0.1; done"


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_webhook_gets_the_event(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_handler(url=hook.url, secrets={"secret": "s3cr3t", "headers": {"X-Team": "ops"}})
    with RunningLoop(LOOP):
        (event,) = happen(cluster, "deploy")
        request = hook.next()
        (run,) = ended()
    body = request.json()
    assert list(body) == [
        *("version", "id", "name", "payload", "payload_encoding", "cluster", "filters"),
        *("ltime", "seen_at", "test"),
    ]
    assert (body["id"], body["name"], body["cluster"]) == (event.event_id, "deploy", "dc1")
    assert (body["payload"], body["payload_encoding"], body["test"]) == ("v1", "utf-8", False)
    assert request.method == "POST"
    assert request.headers["Idempotency-Key"] == str(run.key)
    assert request.headers["X-Team"] == "ops"
    digest = hmac.new(b"s3cr3t", request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-ConsulOps-Signature"] == f"sha256={digest}"
    assert (run.state, run.result, run.attempts) == ("done", "HTTP 200 OK: ok", 1)


def test_a_payload_that_is_no_text_comes_in_base64(cluster: Cluster, hook: WebhookReceiver) -> None:
    make_handler(url=hook.url)
    with RunningLoop(LOOP):
        happen(cluster, "deploy", payload=b"\xff\x00")
        body = hook.next().json()
        ended()
    assert (body["payload"], body["payload_encoding"]) == ("/wA=", "base64")


def test_a_webhook_is_sent_again_under_the_same_key(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=503 if len(hook.requests) == 1 else 200)

    hook.answer = answer
    make_handler(url=hook.url)
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        one, two = hook.take(2)
        (run,) = ended()
    assert one.headers["Idempotency-Key"] == two.headers["Idempotency-Key"]
    assert (run.state, run.attempts) == ("done", 2)


def test_a_webhook_that_is_refused_for_good_is_not(cluster: Cluster, hook: WebhookReceiver) -> None:
    hook.answer = Answer(status=404, body="no such hook")
    make_handler(url=hook.url)
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        (run,) = ended()
    assert (run.state, run.result) == ("failed", "HTTP 404 Not Found: no such hook")
    assert len(hook.requests) == 1


def test_how_often_a_webhook_is_tried() -> None:
    now, error = timezone.now(), SendError("no")
    delays = []
    for attempts in range(1, 6):
        again = next_attempt(error, attempts, now)
        delays.append(again and (again - now).total_seconds())
    assert delays == [1, 5, 30, None, None]
    patient = SendError("later", retry_after_s=60)
    assert next_attempt(patient, 1, now) == now + timedelta(seconds=60)
    assert next_attempt(SendError("never", permanent=True), 1, now) is None


def test_a_program_gets_what_consul_watch_gives(cluster: Cluster, folder: Path) -> None:
    make_program_handler(write_program(folder, "cat; echo; echo oops >&2"))
    with RunningLoop(LOOP):
        (event,) = happen(cluster, "deploy", payload=b"\xffv2")
        (run,) = ended()
    given, *rest = run.output.splitlines()
    assert json.loads(given) == {
        "ID": event.event_id,
        "Name": "deploy",
        "Payload": base64.b64encode(b"\xffv2").decode(),
        "NodeFilter": "",
        "ServiceFilter": "",
        "TagFilter": "",
        "Version": 1,
        "LTime": 3,
        "Cluster": "dc1",
    }
    assert rest == ["oops"]
    assert (run.state, run.result) == ("done", "Exit code 0.")


@pytest.mark.parametrize(
    ("text", "result"), [("exit 3", "Exit code 3."), ("kill -TERM $$", "Ended by signal 15.")]
)
def test_a_program_that_fails(cluster: Cluster, folder: Path, text: str, result: str) -> None:
    make_program_handler(write_program(folder, text))
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        (run,) = ended()
    assert (run.state, run.result, run.attempts) == ("failed", result, 1)


def test_a_program_that_is_not_allowed_any_more(cluster: Cluster, folder: Path) -> None:
    name = write_program(folder, "true")
    make_program_handler(name)
    (folder / name).chmod(0o777)
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        (run,) = ended()
    assert run.state == "failed"
    assert "can be changed by" in run.result


def test_a_program_that_hangs_is_killed_with_its_children(cluster: Cluster, folder: Path) -> None:
    name = write_program(folder, "sleep 300 & echo $! $$; wait")
    make_program_handler(name, timeout_s=1)
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        (run,) = ended()
    assert (run.state, run.result) == ("timed out", "Killed: it ran for more than 1 s.")
    pids = [int(word) for word in run.output.split()]
    assert len(pids) == 2
    eventually(lambda: all(map(is_gone, pids)))


def test_a_flood_of_output_is_cut(cluster: Cluster, folder: Path) -> None:
    make_program_handler(write_program(folder, "head -c 3000000 /dev/zero | tr '\\0' x"))
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        (run,) = ended()
    assert (run.state, len(run.output)) == ("done", MOST_OUTPUT)


def test_one_handler_gets_its_events_in_order_and_one_at_a_time(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    text = f"echo begin >> {log}; grep -o '[abcd]@' >> {log}"
    make_program_handler(write_program(folder, text))
    with RunningLoop(LOOP):
        happen(cluster, "a@", "b@", "c@", "d@")
        ended(4)
    assert log.read_text().split() == [
        *("begin", "a@", "begin", "b@"),
        *("begin", "c@", "begin", "d@"),
    ]


def test_a_handler_that_hangs_holds_no_other_up(
    cluster: Cluster, folder: Path, hook: WebhookReceiver, tmp_path: Path
) -> None:
    make_program_handler(write_program(folder, until(tmp_path / "go"), "slow"), "slow")
    make_program_handler(write_program(folder, "true", "quick"), "quick")
    make_handler(url=hook.url)
    with RunningLoop(LOOP):
        happen(cluster, "a", "b")
        hook.take(2)
        assert {run.handler_name for run in ended(4)} == {"quick", "hook"}
        (tmp_path / "go").touch()
        assert {run.state for run in ended(6)} == {"done"}


def test_a_program_outlives_the_loop_that_started_it(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    """A supervisor hands its loops over every ten minutes."""
    make_program_handler(write_program(folder, f"{until(tmp_path / 'go')}; echo still here"))
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        eventually(lambda: Run.objects.filter(state="running").exists())
    with RunningLoop(LOOP):
        (tmp_path / "go").touch()
        (run,) = ended()
    assert (run.state, run.output) == ("done", "still here\n")


def test_a_webhook_that_was_under_way_is_sent_again_by_the_next_loop(
    cluster: Cluster, hook: WebhookReceiver
) -> None:
    hook.answer = Answer(hang=True)
    make_handler(url=hook.url)
    with RunningLoop(LOOP):
        happen(cluster, "deploy")
        first = hook.next()
    hook.answer = Answer()
    with RunningLoop(LOOP):
        (run,) = ended()
    assert hook.next().headers["Idempotency-Key"] == first.headers["Idempotency-Key"]
    assert run.state == "done"


def test_a_program_without_a_sign_of_life_is_lost_and_not_repeated(cluster: Cluster) -> None:
    run = make_run(
        make_event(cluster),
        make_program_handler("gone"),
        state="running",
        claim="00000000-0000-0000-0000-000000000001",
        alive_at=timezone.now() - timedelta(minutes=1),
    )
    with RunningLoop(LOOP):
        (lost,) = ended()
    assert (lost.pk, lost.state, lost.attempts) == (run.pk, "lost", 0)
    assert "ended in the midst" in lost.result


def test_a_claim_is_for_one(cluster: Cluster, folder: Path) -> None:
    make_program_handler(write_program(folder, "true"))
    happen(cluster, "a")
    (mine,) = queue.claim(lambda: None, 10)
    assert queue.claim(lambda: None, 10) == []
    other = queue.Claimed(mine.pk, mine.occasion.key, mine.kind, mine.occasion, 1, 1)
    queue.finish(other, queue.Ending(RunState.DONE, "not mine"))
    assert Run.objects.get().state == "running"


def test_the_end_of_a_run_that_was_given_up_is_the_truth(cluster: Cluster, folder: Path) -> None:
    make_program_handler(write_program(folder, "true"))
    happen(cluster, "a")
    (mine,) = queue.claim(lambda: None, 10)
    Run.objects.update(alive_at=timezone.now() - timedelta(minutes=1))
    queue.give_up_the_lost(lambda: None)
    assert Run.objects.get().state == "lost"
    queue.finish(mine, queue.Ending(RunState.DONE, "Exit code 0."))
    assert Run.objects.get().state == "done"


def test_a_secret_that_no_key_opens(cluster: Cluster, settings: Any, hook: WebhookReceiver) -> None:
    make_handler(url=hook.url, secrets={"secret": "s3cr3t"})
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with RunningLoop(LOOP):
        happen(cluster, "a")
        (run,) = ended()
    assert run.state == "failed"
    assert "CONSULOPS_ENCRYPTION_KEYS" in run.result
    assert hook.requests == []

"""A disk that is full, a folder that is gone, a program that hangs: the messages wait."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.utils import timezone

from consulops.alerts.models import Delivery
from consulops.core import postgres
from consulops.notifiers import executables
from consulops.notifiers.models import Notifier
from tests.alerts.factories import make_cluster, make_notifier, make_route, observation, see
from tests.looping import RunningLoop
from tests.receivers import WebhookReceiver
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

# Far beyond what any other file of this process holds.
LIMIT = 1 << 30
ROOM = 50
COUNT = 10


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    (tmp_path / "notifications").mkdir()
    executables.make_folder()
    return tmp_path


@pytest.fixture
def no_file_grows() -> Iterator[int]:
    """As on a full disk, but for this process alone: a write at the limit fails.

    Yields up to where the limit may be raised.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def notifier(kind: str, **config: Any) -> Notifier:
    return Notifier.objects.create(name=kind, kind=kind, config=config, timeout_s=1, concurrency=2)


def fail_some() -> None:
    see(make_cluster(), *(observation(f"check-{number}") for number in range(COUNT)))


def of(name: str, state: str) -> int:
    return Delivery.objects.filter(notifier_name=name, state=state).count()


def try_now() -> bool:
    Delivery.objects.filter(state="retrying").update(next_attempt_at=timezone.now())
    postgres.notify(postgres.DELIVERIES)
    return True


def test_a_full_disk_holds_the_log_back_and_no_other(
    data: Path, hook: WebhookReceiver, no_file_grows: int
) -> None:
    path = data / "notifications" / "alerts.log"
    with path.open("wb") as file:
        # Sparse: it takes no place. There is room for half a line.
        file.seek(LIMIT - ROOM - 1)
        file.write(b"\n")
    log = notifier("log", path="alerts.log", format="json")
    make_route(log).notifiers.add(make_notifier(url=hook.url))
    with RunningLoop("courier"):
        fail_some()
        hook.take(COUNT)
        eventually(lambda: of("log", "retrying") == COUNT)
        assert "File too large" in Delivery.objects.filter(notifier=log).latest("pk").error
        # The disk is larger now.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * LIMIT, no_file_grows))
        eventually(lambda: try_now() and of("log", "sent") == COUNT)
    with path.open("rb") as file:
        file.seek(LIMIT - ROOM)
        half, *lines = file.read().decode().splitlines()
    assert len(half) == ROOM
    told = [json.loads(line)["check"] for line in lines]
    assert sorted(told) == [f"check-{number}" for number in range(COUNT)]


def test_a_folder_that_cannot_be_used_holds_the_log_back(data: Path) -> None:
    folder = data / "notifications"
    folder.rmdir()
    folder.write_text("in the way")
    make_route(notifier("log", path="alerts.log", format="text"))
    with RunningLoop("courier"):
        fail_some()
        eventually(lambda: of("log", "retrying") == COUNT)
        # Removed: it is made anew.
        folder.unlink()
        eventually(lambda: try_now() and of("log", "sent") == COUNT)
    assert len((folder / "alerts.log").read_text().splitlines()) == COUNT


def test_a_program_that_hangs_is_killed_and_holds_up_no_other(
    data: Path, hook: WebhookReceiver
) -> None:
    program = executables.folder() / "tell"
    program.write_text(f"#!/bin/sh\necho $$ >> {data}/pids\nsleep 600\n")
    program.chmod(0o755)
    custom = notifier("custom", executable="tell", arguments=[], format="consulops")
    make_route(custom).notifiers.add(make_notifier(url=hook.url))
    with RunningLoop("courier"):
        fail_some()
        hook.take(COUNT)
        assert of("custom", "sent") == 0
        eventually(Delivery.objects.filter(error__contains="timed out after 1 s").exists)
        program.write_text(f"#!/bin/sh\ncat > {data}/$$\n")
        eventually(lambda: try_now() and of("custom", "sent") == COUNT)
    pids = {int(line) for line in (data / "pids").read_text().split()}
    assert not [pid for pid in pids if psutil.pid_exists(pid)]

"""Whole worker processes: what happens to their loops when they are stopped, killed or paused."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil
import psycopg
import pytest
from django_q.models import OrmQ

from consulops.loops.models import Lease, Supervisor, Worker
from tests.loops.conftest import STOP_S, WorkProcess
from tests.loops.diary import Diary, Line, assert_one_writer_at_a_time

Work = Callable[[str], WorkProcess]
KEYS = ["scribe:1", "scribe:2", "scribe:3", "scribe:4"]


def by_other_than(pid: int) -> Callable[[list[Line]], bool]:
    return lambda lines: {line.key for line in lines if line.pid != pid} >= set(KEYS)


def test_killed_worker_is_replaced_and_its_loops_run_again(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    work("watch")
    killed = diary.wait_for_all(KEYS)[0].pid
    psutil.Process(killed).kill()
    lines = diary.wait_until(by_other_than(killed))
    assert_one_writer_at_a_time(lines)


def test_kills_in_a_row_do_not_pile_up_tasks(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    work("watch")
    killed = set[int]()
    for _ in range(3):
        lines = diary.wait_until(lambda lines: any(line.pid not in killed for line in lines))
        alive = lines[-1].pid
        psutil.Process(alive).kill()
        killed.add(alive)
    diary.wait_until(lambda lines: lines[-1].pid not in killed)
    assert OrmQ.objects.count() == 0
    assert Supervisor.objects.alive().exclude(pid__in=killed).count() == 1


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop_gives_the_leases_back(work: Work, diary: Diary, with_signal: int) -> None:
    diary.want(*KEYS)
    process = work("watch")
    diary.wait_for_all(KEYS)
    family = process.family()
    assert process.stop(with_signal) == 0
    assert not any(member.is_running() for member in family)
    assert set(Lease.objects.values_list("key", "owner")) == {(key, "") for key in KEYS}
    assert not Supervisor.objects.exists()
    assert not Worker.objects.exists()
    assert not OrmQ.objects.exists()


def test_others_take_over_at_once_from_one_that_stops(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    first, _ = work("watch"), work("watch")
    diary.wait_until(lambda lines: len({line.pid for line in lines}) == 2)
    assert first.stop() == 0
    lines = diary.wait_for_all(KEYS, after=diary.last_id())
    assert len({line.pid for line in lines}) == 1
    assert_one_writer_at_a_time(diary.lines())


def test_two_processes_share_the_loops(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    work("watch"), work("watch")

    def shared(lines: list[Line]) -> bool:
        latest = {line.key: line.pid for line in lines}
        pids = list(latest.values())
        return len(latest) == 4 and sorted(map(pids.count, set(pids))) == [2, 2]

    assert_one_writer_at_a_time(diary.wait_until(shared))


def test_paused_worker_that_comes_back_writes_nothing(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    work("watch")
    paused = psutil.Process(diary.wait_for_all(KEYS)[0].pid)
    paused.suspend()
    work("watch")
    diary.wait_until(by_other_than(paused.pid))
    before = diary.last_id()
    old = {line.owner for line in diary.lines() if line.pid == paused.pid}
    epochs = dict(Lease.objects.values_list("key", "epoch"))
    paused.resume()
    # Its share comes back to it, under new epochs: it has noticed.
    lines = diary.wait_until(lambda lines: any(line.pid == paused.pid for line in lines), before)
    for line in lines:
        if line.owner in old:
            assert line.epoch > epochs[line.key]
    assert_one_writer_at_a_time(diary.lines())


def test_killed_main_process_leaves_no_orphan(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    process = work("watch")
    diary.wait_for_all(KEYS)
    family = process.family()
    process.main.kill()
    process.popen.wait(STOP_S)
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    assert not alive


def test_main_process_ends_with_an_error_when_its_sentinel_dies(work: Work, diary: Diary) -> None:
    diary.want(*KEYS)
    process = work("watch")
    diary.wait_for_all(KEYS)
    family = process.family()
    (sentinel,) = process.main.children()
    sentinel.kill()
    assert process.popen.wait(STOP_S) != 0
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    assert not alive


def test_loops_run_on_after_the_database_has_cut_every_link(
    work: Work, diary: Diary, link: psycopg.Connection[tuple[object, ...]]
) -> None:
    diary.want(*KEYS)
    process = work("watch")
    pid = diary.wait_for_all(KEYS)[0].pid
    link.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    lines = diary.wait_for_all(KEYS, after=diary.last_id())
    assert {line.pid for line in lines} == {pid}
    assert process.stop() == 0

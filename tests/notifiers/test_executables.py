"""Programs of people's own, run for real: what may run, what they see, and how they end."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consulops.env import Environment
from consulops.notifiers import executables
from consulops.notifiers.executables import NotAllowed, available, path_of, refused, run, run_async

Program = Callable[..., Path]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    executables.make_folder()
    return tmp_path / "executables"


@pytest.fixture
def program(folder: Path) -> Program:
    def program(text: str, name: str = "program", mode: int = 0o755) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(mode)
        return path

    return program


def is_gone(pid: int) -> bool:
    """Waits for the end of a process that is no child of ours."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([handle], [], [], 10)
    os.close(handle)
    return bool(ended)


def test_folder_is_made_for_others_to_look_at(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o755


def test_folder_of_the_setting(tmp_path: Path, settings: Any) -> None:
    own = tmp_path / "own"
    settings.ENV = Environment({"CONSULOPS_EXECUTABLES": str(own)})
    executables.make_folder()
    assert own.is_dir()
    assert executables.folder() == own


def test_folder_that_cannot_be_made_stops_nothing(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x"
    settings.ENV = Environment({"CONSULOPS_EXECUTABLES": str(path)})
    executables.make_folder()
    assert "cannot make the folder" in caplog.text
    assert available() == []


def test_available_and_refused(program: Program, folder: Path) -> None:
    program("", "b")
    program("", "a")
    program("", "for-everybody", 0o777)
    program("", "for-the-group", 0o775)
    program("", "text", 0o644)
    program("", ".hidden")
    (folder / "more").mkdir()
    (folder / "link").symlink_to("/bin/sh")
    (folder / "broken").symlink_to("nowhere")
    (folder / "alias").symlink_to("a")
    os.mkfifo(folder / "pipe", 0o755)
    assert available() == ["a", "alias", "b"]
    why = refused()
    assert sorted(why) == [
        "broken", "for-everybody", "for-the-group", "link", "more", "pipe", "text",
    ]  # fmt: skip
    assert "can be changed by its group or by others" in why["for-the-group"]
    assert "link to something outside" in why["link"]
    assert "not executable" in why["text"]
    assert "not a file" in why["pipe"]


@pytest.mark.parametrize("name", ["", ".", "..", "../executables/a", "/bin/sh", "a\0", "absent"])
def test_nothing_else_can_be_named(name: str, program: Program) -> None:
    program("", "a")
    with pytest.raises(NotAllowed):
        path_of(name)


def test_folder_that_others_can_write_to(program: Program, folder: Path) -> None:
    program("")
    folder.chmod(0o775)
    assert available() == []
    with pytest.raises(NotAllowed, match=r"The folder .* can be changed"):
        run("program", [], b"", 5)


def test_success(program: Program) -> None:
    program('cat; echo "$1|$2"; echo to the other >&2')
    outcome = run("program", ["a b", "$(id)"], b"given ", 10)
    assert outcome.exit_code == 0
    assert outcome.output == "given a b|$(id)\nto the other\n"
    assert not outcome.timed_out


def test_exit_code(program: Program) -> None:
    program("echo no such room; exit 3")
    outcome = run("program", [], b"", 10)
    assert (outcome.exit_code, outcome.output) == (3, "no such room\n")


def test_signal_is_a_negative_code(program: Program) -> None:
    program("kill -TERM $$")
    assert run("program", [], b"", 10).exit_code == -signal.SIGTERM


def test_hanging_program_is_killed_with_its_children(program: Program) -> None:
    program("(sleep 300 & echo $!; wait) & echo $$; wait")
    outcome = run("program", [], b"", 0.5)
    assert outcome.timed_out
    assert outcome.exit_code == -signal.SIGKILL
    pids = [int(pid) for pid in outcome.output.split()]
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_what_a_program_leaves_behind_is_killed(program: Program) -> None:
    program("sleep 300 & echo $!")
    outcome = run("program", [], b"", 60)
    assert not outcome.timed_out
    assert is_gone(int(outcome.output))


def test_process_that_left_the_group_holds_nobody_up(program: Program, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    program(f"setsid sh -c 'echo $$ > {tmp_path}/fifo; exec sleep 300' & cat {tmp_path}/fifo")
    outcome = run("program", [], b"", 60)
    assert not outcome.timed_out
    os.kill(int(outcome.output), signal.SIGKILL)


def test_flood_is_cut_and_does_not_block(program: Program) -> None:
    program("head -c 5000000 /dev/zero | tr '\\0' x; exit 7")
    outcome = run("program", [], b"", 60)
    assert outcome.exit_code == 7
    assert outcome.output == "x" * executables.MOST_OUTPUT


def test_endless_flood_ends_at_the_timeout(program: Program) -> None:
    program("yes")
    outcome = run("program", [], b"", 0.5)
    assert outcome.timed_out
    assert len(outcome.output) == executables.MOST_OUTPUT


def test_standard_input_need_not_be_read(program: Program) -> None:
    program("exit 0")
    assert run("program", [], b"x" * 5_000_000, 60).exit_code == 0


def test_odd_output_is_text_that_a_database_takes(program: Program) -> None:
    program("printf '\\377 \\000 ü'")
    assert run("program", [], b"", 10).output == "\ufffd \ufffd ü"


def test_environment_holds_no_secret(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:s3cr3t@host/name")
    monkeypatch.setenv("CONSULOPS_SECRET_KEY", "s3cr3t")
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "s3cr3t")
    program("env; pwd; ls -l /proc/self/fd | wc -l")
    output = run("program", [], b"", 10, {"CLUSTER": "dc1"}).output
    names = {line.partition("=")[0] for line in output.splitlines() if "=" in line}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG", "HOME", "CLUSTER"}
    assert "HOME=/\n" in output
    assert "s3cr3t" not in output


def test_program_without_an_interpreter(program: Program) -> None:
    path = program("")
    path.write_text("#!/does/not/exist\n")
    with pytest.raises(NotAllowed, match=r"cannot be run: No such file or directory\.$"):
        run("program", [], b"", 10)


def test_argument_that_no_program_can_get(program: Program) -> None:
    program("")
    with pytest.raises(NotAllowed, match="null"):
        run("program", ["a\0b"], b"", 10)


def test_programs_of_a_loop_run_side_by_side(program: Program, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    # Either waits for the other one: one after the other they would never end.
    program(f"echo met > {tmp_path}/fifo", "one")
    program(f"cat {tmp_path}/fifo", "other")

    async def both() -> list[str]:
        outcomes = await asyncio.gather(
            *(run_async(name, [], b"", 60) for name in ("one", "other"))
        )
        return [outcome.output for outcome in outcomes]

    assert asyncio.run(both()) == ["", "met\n"]


def test_from_a_thread_without_a_loop(program: Program) -> None:
    program("echo hello")

    async def main() -> str:
        return (await asyncio.to_thread(run, "program", [], b"", 60)).output

    assert asyncio.run(main()) == "hello\n"


def test_cancelled_caller_leaves_nothing_behind(program: Program, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    program(f"echo $$ > {tmp_path}/fifo; sleep 300")

    async def main() -> int:
        task = asyncio.create_task(run_async("program", [], b"", 60))
        pid = int(await asyncio.to_thread((tmp_path / "fifo").read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert is_gone(asyncio.run(main()))

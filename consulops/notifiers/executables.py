"""Runs programs of people's own: only those in one folder, briefly, and knowing no secret."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

log = logging.getLogger(__name__)

# Of standard output and standard error together; the rest is read and thrown away.
MOST_OUTPUT = 64 * 1024
_CHUNK = 64 * 1024
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotAllowed(Exception):
    """A program that cannot be run here, and why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the exit code (negative: the signal that ended it) and what it said."""

    exit_code: int
    output: str
    timed_out: bool


def folder() -> Path:
    """The folder of the programs that may be run, by default `executables` in the data folder."""
    chosen = settings.ENV["CONSULOPS_EXECUTABLES"]
    return chosen if isinstance(chosen, Path) else Path(settings.DATA) / "executables"


def make_folder() -> None:
    """Makes the folder if it is not there, so that people see where programs go."""
    path = folder()
    if path.is_dir():
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        # The mode of mkdir is subject to the umask; others must be able to look, not to write.
        path.chmod(0o755)
    except OSError as error:
        # All else works without it.
        log.warning("cannot make the folder of programs %s: %s", path, error)


def available() -> list[str]:
    """The names of the programs that can be run now, sorted."""
    return sorted(name for name in _names() if not _refusal(name))


def refused() -> dict[str, str]:
    """What else lies in the folder, by name, and why it cannot be run."""
    return {name: text for name in sorted(_names()) if (text := _refusal(name))}


def path_of(name: str) -> Path:
    """The program of this name. Raises NotAllowed."""
    text = _refusal(name)
    if text:
        raise NotAllowed(text)
    return (folder() / name).resolve()


async def run_async(
    name: str,
    arguments: Sequence[str],
    stdin: bytes,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Runs a program of the folder and waits for its end, at most `timeout_s`. Raises NotAllowed.

    It runs without a shell, in a process group of its own of which nothing stays: neither when
    the program ends, nor after the timeout, nor when the caller is cancelled. It sees PATH, LANG,
    HOME=/ and `environment`, nothing else of ours.
    """
    path = path_of(name)
    read_end, write_end = os.pipe()
    try:
        # A file, not a pipe: a program that does not read it cannot hold anybody up.
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            process = await _start(path, arguments, given, write_end, environment)
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return await _until_the_end(process, read_end, timeout_s)


def run(
    name: str,
    arguments: Sequence[str],
    stdin: bytes,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """The same as `run_async`, for a thread that has no event loop."""
    return asyncio.run(run_async(name, arguments, stdin, timeout_s, environment))


async def _start(
    path: Path,
    arguments: Sequence[str],
    given: BinaryIO,
    output: int,
    environment: Mapping[str, str] | None,
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            path,
            *arguments,
            stdin=given,
            stdout=output,
            stderr=output,
            env=_environment(environment or {}),
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        # No interpreter, no program format that the machine knows, a NUL in an argument.
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise NotAllowed(f"“{path.name}” cannot be run: {reason}.") from None


async def _until_the_end(
    process: asyncio.subprocess.Process, read_end: int, timeout_s: float
) -> Outcome:
    loop = asyncio.get_running_loop()
    said = bytearray()
    os.set_blocking(read_end, False)
    loop.add_reader(read_end, lambda: _read(read_end, said) or loop.remove_reader(read_end))
    timed_out = False
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        _kill(process.pid)
        try:
            # Killed, it ends at once; unless somebody waits for it, it stays as a zombie.
            await process.wait()
        finally:
            loop.remove_reader(read_end)
            # What it wrote last may still be in the pipe. A process that left the group may write
            # for ever, hence the bound.
            while len(said) < MOST_OUTPUT and _read(read_end, said):
                pass
            os.close(read_end)
    text = said.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return Outcome(process.returncode or 0, text, timed_out)


def _read(read_end: int, said: bytearray) -> bool:
    """Adds a piece of the output as long as there is room; False when there is none to be had."""
    try:
        piece = os.read(read_end, _CHUNK)
    except BlockingIOError:
        return False
    said += piece[: MOST_OUTPUT - len(said)]
    return bool(piece)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LANG": os.environ.get("LANG", "C.UTF-8"), "HOME": "/", **more}


def _names() -> list[str]:
    try:
        return [one.name for one in folder().iterdir() if not one.name.startswith(".")]
    except OSError:
        return []


def _refusal(name: str) -> str:
    """Why this must not be run, or nothing."""
    home = folder().resolve()
    if not name or name.startswith(".") or "/" in name or "\x00" in name:
        return f"“{name}” is not the name of a program: it must lie directly in {home}."
    try:
        full = (home / name).resolve(strict=True)
        facts, home_facts = full.stat(), home.stat()
    except (OSError, RuntimeError):
        return f"There is no program “{name}” in {home}."
    if full.parent != home:
        return f"“{name}” is a link to something outside of {home}."
    if not stat.S_ISREG(facts.st_mode):
        return f"“{name}” is not a file."
    if not os.access(full, os.X_OK):
        return f"“{name}” is not executable."
    if facts.st_mode & _WRITABLE_BY_OTHERS:
        return f"“{name}” can be changed by its group or by others; chmod go-w it."
    if home_facts.st_mode & _WRITABLE_BY_OTHERS:
        return f"The folder {home} can be changed by its group or by others; chmod go-w it."
    return ""

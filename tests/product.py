"""Starts the whole product as a person does, and watches what it says."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import psutil

ROOT = Path(__file__).resolve().parent.parent
READY = r"^ConsulOps is ready at (http://\S+)$"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(data: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """What a person's shell gives, without the settings of this test run."""
    ours = ("CONSUL", "DATABASE_URL", "DJANGO_", "PYTEST_", "Q_CLUSTER", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "CONSULOPS_DATA": str(data), **extra}


def manage(data: Path, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=clean_environment(data, extra),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Product:
    """`manage.py up` over a data folder; leaving the block stops it by SIGTERM."""

    command: ClassVar[tuple[str, ...]] = ("up",)

    def __init__(self, data: Path, *words: str, **extra: str) -> None:
        self.port = free_port()
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._is_over = False
        self._words = words
        self._environment = clean_environment(
            data, {"CONSULOPS_BIND": f"127.0.0.1:{self.port}", **extra}
        )

    def __enter__(self) -> Self:
        self.process = psutil.Popen(
            [sys.executable, "manage.py", *self.command, *self._words],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(30)
        except psutil.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # Processes that outlived it hold the pipe: then the test fails and not this line.
        self._reader.join(30)
        self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self._is_over = True
            self._said.notify_all()

    def wait_for(self, pattern: str, timeout_s: float = 60) -> re.Match[str]:
        """The first line that holds this, also one that was said before."""
        with self._said:
            self._said.wait_for(lambda: self.said(pattern) or self._is_over, timeout_s)
            found = self.said(pattern)
        assert found, f"{pattern!r} was not said:\n" + "\n".join(self.lines)
        return found

    def said(self, pattern: str) -> re.Match[str] | None:
        return next((m for line in self.lines if (m := re.search(pattern, line))), None)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def ready(self) -> dict[str, Any] | None:
        """The answer of /readyz, None while nothing or something else answers."""
        try:
            status, body = self.get("/readyz")
        except OSError:
            return None
        return dict(json.loads(body)) if status == 200 else None

    def descendants(self) -> list[psutil.Process]:
        return list(self.process.children(recursive=True))

    def main_process(self, name: str) -> psutil.Process:
        """The process that is kept running under this label."""
        labelled = [one for one in self.descendants() if _label(one) == name]
        ids = {one.pid for one in labelled}
        return next(one for one in labelled if one.ppid() not in ids)


def _label(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
        if "consulops.core.up.web" in words:
            return "web"
        return words[-1] if "work" in words else ""
    except psutil.Error:
        return ""


def all_gone(processes: list[psutil.Process], timeout_s: float) -> list[str]:
    """The command lines of those that still run after this time."""
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    return [" ".join(one.cmdline()) for one in alive if one.status() != psutil.STATUS_ZOMBIE]

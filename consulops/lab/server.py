"""One real `consul agent -server` process on loopback, its folder and its faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from consulops.lab.ports import HOST, Ports

STOP_S = 4.0


class LabError(Exception):
    """A local cluster did not do what was asked; the text says which server and why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate files (PEM) with which a cluster serves HTTPS instead of HTTP.

    With `verify_incoming`, callers must show a certificate of the same authority. The lab itself
    shows the server's, so that one must be good for client authentication too.
    """

    authority: Path
    certificate: Path
    key: Path
    verify_incoming: bool = False

    def settings(self) -> dict[str, object]:
        return {
            "ca_file": str(self.authority),
            "cert_file": str(self.certificate),
            "key_file": str(self.key),
            "verify_incoming_https": self.verify_incoming,
        }


@dataclass(slots=True)
class Server:
    """One server: where it lives, how it is reached, and its process while it runs."""

    name: str
    binary: Path
    folder: Path
    ports: Ports
    scheme: str = "http"
    frozen: bool = False
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.scheme}://{HOST}:{self.ports.api}"

    @property
    def log(self) -> Path:
        return self.folder / "consul.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def crashed(self) -> bool:
        """Whether it ended without having been stopped or killed through this object."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Process id while it runs; raises LabError otherwise."""
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"Server {self.name} does not run.")
        return self._process.pid

    def configure(self, settings: Mapping[str, object]) -> None:
        """Writes the configuration file: what all servers share, plus what is this one's own."""
        api = "https" if self.scheme == "https" else "http"
        own: dict[str, object] = {
            "node_name": self.name,
            "data_dir": str(self.folder / "data"),
            "ports": {
                "http": -1,
                "https": -1,
                "dns": -1,
                "grpc": -1,
                api: self.ports.api,
                "server": self.ports.server,
                "serf_lan": self.ports.serf_lan,
                "serf_wan": self.ports.serf_wan,
            },
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "consul.json").write_text(json.dumps({**settings, **own}, indent=2))

    def start(self, group: int) -> None:
        """Starts the process as a member of the process group that the guardian leads."""
        if self.running:
            raise LabError(f"Server {self.name} runs already.")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the binary is the caller's choice
                [self.binary, "agent", "-config-file", self.folder / "consul.json"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=group,
            )
        self.frozen = False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process; a process that ended is left alone."""
        if self._process is not None:
            self._process.send_signal(number)

    def freeze(self) -> None:
        """Stops the process without ending it: its connections stay open and answer nothing."""
        self.signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)
        self.frozen = False

    def kill(self) -> None:
        """Ends the process at once, as a crash would; nothing happens when it has ended."""
        self.signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """Asks the process to end, and kills it when that takes longer than STOP_S."""
        stop_all([self])

    def _reap(self, timeout_s: float | None = None) -> None:
        if self._process is not None:
            self._process.wait(timeout_s)
        self._process, self.frozen = None, False

    def last_words(self) -> str:
        """The end of the log, for error messages."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return "(no log)"


def stop_all(servers: Sequence[Server]) -> None:
    """Stops servers side by side, in good order; kills those that need longer than STOP_S."""
    for server in servers:
        server.signal(signal.SIGTERM)
        server.thaw()
    deadline = time.monotonic() + STOP_S
    for server in servers:
        try:
            server._reap(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            server.kill()


def start_guardian() -> subprocess.Popen[bytes]:
    """Starts the process that ends its process group when this process dies."""
    script = Path(__file__).with_name("guardian.py")
    return subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-I", "-S", script, str(os.getpid())],
        stdin=subprocess.PIPE,
        process_group=0,
    )

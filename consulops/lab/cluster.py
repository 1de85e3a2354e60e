"""Real local Consul clusters: started, broken on purpose, and always stopped again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import requests

from consulops.lab.kept import Kept
from consulops.lab.ports import HOST, settle
from consulops.lab.registrations import Json, Registrations
from consulops.lab.server import LabError, Server, Tls, start_guardian, stop_all

# A server that is frozen or without a leader must not hold a caller longer than this.
CALL_S = 10.0
READY_S = 30.0
_POLL_S = 0.05
# How often to start again when another process took a port between our look and Consul's.
_TRIES = 3


class LocalCluster(Registrations):
    """One datacenter of 1, 3 or 5 servers on loopback; a context manager.

    With a `folder` the data, the ports (where still free) and the ACL token are kept there for the
    next time; without one a temporary folder is used and removed. `ports` are the API ports to
    prefer, one per server. With `acl` the default policy is deny and `.token` the bootstrapped
    management token. The servers die with the process that started them, whatever kills it.
    """

    def __init__(
        self,
        binary: Path,
        servers: int = 1,
        datacenter: str = "dc1",
        folder: Path | None = None,
        acl: bool = False,
        tls: Tls | None = None,
        ports: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if servers not in (1, 3, 5):
            raise ValueError("A cluster has 1, 3 or 5 servers.")
        self.datacenter = datacenter
        self.token = ""
        self._binary, self._acl, self._tls = binary, acl, tls
        self._count, self._wished = servers, list(ports or [])
        self._temporary = folder is None
        self._folder = folder or Path(tempfile.gettempdir()) / f"consul-lab-{uuid4().hex}"
        self._servers: list[Server] = []
        self._guardian: subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        # Neither a proxy nor a .netrc of the machine has a say in calls to our own loopback.
        self._http.trust_env = False
        if tls is not None:
            self._http.verify = str(tls.authority)
            self._http.cert = (str(tls.certificate), str(tls.key))

    @property
    def address(self) -> str:
        """URL of the first server's API."""
        return self._servers[0].address

    @property
    def addresses(self) -> list[str]:
        """URLs of all servers' APIs, the dead ones' too."""
        return [server.address for server in self._servers]

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(self._servers)

    @property
    def pids(self) -> list[int]:
        """Process ids of the servers that run."""
        return [server.pid for server in self._servers if server.running]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts all servers and waits until the cluster answers; raises LabError otherwise."""
        for tries_left in reversed(range(_TRIES)):
            try:
                self._prepare()
                self._start_all()
                return
            except LabError as error:
                self._end()
                if not (tries_left and "address already in use" in str(error)):
                    self.stop()
                    raise
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Stops all servers; a temporary folder is removed."""
        self._end()
        self._http.close()
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """Stops all servers and starts them again on their data and ports."""
        stop_all(self._servers)
        self._start_all()

    def start_server(self, index: int, wait: bool = True) -> None:
        """Starts a stopped or killed server on its data and waits until all awake ones answer."""
        self._servers[index].start(self._group())
        if wait:
            self.wait_ready()

    def stop_server(self, index: int) -> None:
        """Stops a server in good order; it stays a member of the cluster."""
        self._servers[index].stop()

    def kill_server(self, index: int) -> None:
        """Kills a server with SIGKILL, as a crash would."""
        self._servers[index].kill()

    def freeze_server(self, index: int) -> None:
        """Stops a server's process with SIGSTOP: it keeps its connections and says nothing."""
        self._servers[index].freeze()

    def thaw_server(self, index: int) -> None:
        self._servers[index].thaw()

    def leader(self) -> int | None:
        """Index of the leading server as the running ones see it, None while there is none."""
        for index in self._awake():
            try:
                found = self.call("GET", "status/leader", server=index, timeout_s=1.0)
            except LabError:
                continue
            for number in self._awake():
                if found == f"{HOST}:{self._servers[number].ports.server}":
                    return number
        return None

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Waits for a leader and for a consistent read on every awake server that shows each
        awake server as healthy; raises LabError with the end of a log after `timeout_s`."""
        self._until(self._problem, timeout_s)

    def join_wan(self, other: LocalCluster) -> None:
        """Joins two datacenters over WAN and waits until each one answers for the other."""
        self.call("PUT", f"agent/join/{HOST}:{other.servers[0].ports.serf_wan}?wan=1")
        self._until(lambda: self._unreachable(other) or other._unreachable(self))

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        server: int = 0,
        timeout_s: float = CALL_S,
    ) -> Json:
        """Calls `/v1/PATH` of one server; returns the decoded answer, LabError unless 2xx."""
        url = f"{self._servers[server].address}/v1/{path}"
        headers = {"X-Consul-Token": self.token} if self.token else {}
        try:
            answer = self._http.request(
                method, url, json=body, headers=headers, timeout=timeout_s, allow_redirects=False
            )
        except requests.RequestException as error:
            raise LabError(f"{method} {path} on {self._servers[server].name}: {error}") from error
        if not answer.ok:
            raise LabError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else None

    def _prepare(self) -> None:
        """Settles the ports, writes the servers' configurations and starts the guardian."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = self._kept()
        self.token = kept.token
        taken: set[int] = set()
        ports = [
            settle(
                taken,
                kept.ports[index] if index < len(kept.ports) else None,
                self._wished[index] if index < len(self._wished) else None,
            )
            for index in range(self._count)
        ]
        self._keep(Kept(ports, self.token))
        scheme = "https" if self._tls else "http"
        self._servers = [
            Server(
                f"{self.datacenter}-server-{i}", self._binary, self._folder / str(i), one, scheme
            )
            for i, one in enumerate(ports, start=1)
        ]
        for server in self._servers:
            server.configure(self._settings())
        self._guardian = start_guardian()

    def _settings(self) -> dict[str, object]:
        """The configuration that all servers share."""
        settings: dict[str, object] = {
            "server": True,
            "datacenter": self.datacenter,
            "bootstrap_expect": self._count,
            "bind_addr": HOST,
            "client_addr": HOST,
            "retry_join": [f"{HOST}:{server.ports.serf_lan}" for server in self._servers],
            "retry_interval": "200ms",
            "performance": {"raft_multiplier": 1},
            # Otherwise a new output without a new status reaches the catalog minutes later.
            "check_update_interval": "0s",
            "disable_update_check": True,
            "leave_on_terminate": False,
            "skip_leave_on_interrupt": True,
        }
        if self._acl:
            settings["acl"] = {
                "enabled": True,
                "default_policy": "deny",
                "enable_token_persistence": True,
            }
        return {**settings, **(self._tls.settings() if self._tls else {})}

    def _start_all(self) -> None:
        for server in self._servers:
            server.start(self._group())
        if self._acl and not self.token:
            self._bootstrap()
        self.wait_ready()

    def _bootstrap(self) -> None:
        """Makes the management token and lets every server use it for its own node's entry."""
        self._until(lambda: "" if self.leader() is not None else "no leader")
        self._until(self._try_bootstrap)
        self._keep(Kept([server.ports for server in self._servers], self.token))
        self._until(self._try_agent_tokens)

    def _try_bootstrap(self) -> str:
        try:
            self.token = str(self.call("PUT", "acl/bootstrap")["SecretID"])
        except LabError as error:
            # For a moment after the election the servers still speak the old ACL protocol.
            return str(error)
        return ""

    def _try_agent_tokens(self) -> str:
        try:
            for index in range(self._count):
                # The token "agent", not "default": with that one everybody could do everything.
                self.call("PUT", "agent/token/agent", {"Token": self.token}, index)
        except LabError as error:
            # A follower may not know the new token yet.
            return str(error)
        return ""

    def _problem(self) -> str:
        """What is still missing until the cluster is ready, empty when nothing is."""
        if self.leader() is None:
            return "no leader"
        for index in self._awake():
            server = self._servers[index]
            path = f"health/node/{server.name}?consistent"
            try:
                checks = self.call("GET", path, server=index, timeout_s=2.0)
            except LabError as error:
                return str(error)
            if ("serfHealth", "passing") not in {(c["CheckID"], c["Status"]) for c in checks}:
                return f"{server.name} is not healthy in the catalog"
        return ""

    def _until(self, problem: Callable[[], str], timeout_s: float = READY_S) -> None:
        """Asks again until there is no problem; raises LabError after `timeout_s` or when a
        server ended by itself."""
        deadline = time.monotonic() + timeout_s
        while text := problem():
            for server in self._servers:
                if server.crashed:
                    raise LabError(f"{server.name} ended:\n{server.last_words()}")
            if time.monotonic() > deadline:
                words = self._servers[0].last_words()
                raise LabError(f"{self.datacenter} is not ready: {text}\n{words}")
            time.sleep(_POLL_S)

    def _unreachable(self, other: LocalCluster) -> str:
        try:
            found = self.call("GET", f"catalog/nodes?consistent&dc={other.datacenter}")
        except LabError as error:
            return str(error)
        return "" if found else f"{other.datacenter} shows no nodes"

    def _awake(self) -> list[int]:
        return [i for i, one in enumerate(self._servers) if one.running and not one.frozen]

    def _group(self) -> int:
        if self._guardian is None:
            raise LabError(f"{self.datacenter} is not started.")
        return self._guardian.pid

    def _end(self) -> None:
        """Ends all processes: in good order where the data is kept, else at once."""
        if self._temporary:
            for server in self._servers:
                server.kill()
        stop_all(self._servers)
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()
            self._guardian.wait()
        self._guardian = None

    def _kept(self) -> Kept:
        try:
            return Kept.from_json((self._folder / "lab.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Kept([], "")

    def _keep(self, kept: Kept) -> None:
        path = self._folder / "lab.json"
        path.touch(mode=0o600)
        path.write_text(kept.to_json(), encoding="utf-8")

"""Finds free loopback ports for the servers of a local cluster."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"

# Below Linux's range for outgoing connections, so that a port is still free when its server,
# killed by a test, starts again.
_LOWEST, _HIGHEST = 10_000, 32_000


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one server."""

    api: int
    server: int
    serf_lan: int
    serf_wan: int


def free(port: int) -> bool:
    """Whether nobody uses the port, for TCP and for UDP (Consul's gossip needs both)."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # As Consul does: a connection in TIME_WAIT does not make a port taken.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True


def pick(taken: set[int]) -> int:
    """A free port that is not in `taken`, to which it is added."""
    chooser = random.SystemRandom()
    while True:
        port = chooser.randrange(_LOWEST, _HIGHEST)
        if port not in taken and free(port):
            taken.add(port)
            return port


def settle(taken: set[int], kept: Ports | None = None, wished_api: int | None = None) -> Ports:
    """Ports for one server: those it had before and the wished one, where free; else fresh."""

    def choose(*candidates: int | None) -> int:
        for port in candidates:
            if port is not None and port not in taken and free(port):
                taken.add(port)
                return port
        return pick(taken)

    if kept is None:
        return Ports(choose(wished_api), pick(taken), pick(taken), pick(taken))
    return Ports(
        choose(kept.api, wished_api),
        choose(kept.server),
        choose(kept.serf_lan),
        choose(kept.serf_wan),
    )

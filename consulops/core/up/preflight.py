"""What must be right before anything is started, so that a mistake is one clear line."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CannotStart(Exception):
    """`up` cannot start here; the text is the one line to show."""


def split(bind: str) -> tuple[str, int]:
    """The host and port of "HOST:PORT"; an IPv6 address stands in brackets."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def check_port(bind: str) -> None:
    """Raises CannotStart when nothing can listen there."""
    host, port = split(bind)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As uvicorn does: a port that is only waiting for late packets is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotStart(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken by another program; stop it or choose another port "
            f"with CONSULOPS_BIND={host}:{port + 1} or --bind."
        )
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}; choose one above 1023."
    return f"cannot listen on {host}:{port}: {error.strerror or error}."


@contextmanager
def the_only_one(run: Path) -> Iterator[None]:
    """Holds the data folder for this `up`. Raises CannotStart when another one has it."""
    run.mkdir(parents=True, exist_ok=True)
    lock = os.open(run / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CannotStart(f"ConsulOps already runs with the data folder {run.parent}.") from None
    try:
        yield
    finally:
        os.close(lock)

"""A real web process over the test's database, and browsers' ends of its streams."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg.conninfo import make_conninfo

from consulops.accounts.models import User
from tests.people import client_of

APPLICATION = "consulops-stream-test"


@dataclass(frozen=True)
class Web:
    """Where the process listens."""

    port: int
    log: Path

    def begin(
        self, path: str, cookie: str = "", headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """A request on a connection of its own, and its answer's head."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        link.request(
            "GET", path, headers={"Cookie": cookie, "Host": "127.0.0.1", **(headers or {})}
        )
        return link, link.getresponse()

    def ask(
        self, path: str, cookie: str = "", headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """The same for an answer that ends."""
        link, response = self.begin(path, cookie, headers)
        with closing(link), closing(response):
            response.read()
        return response


def cookie_of(user: User) -> str:
    """What this person's browser sends."""
    cookies = client_of(user).cookies
    return f"{settings.SESSION_COOKIE_NAME}={cookies[settings.SESSION_COOKIE_NAME].value}"


def _database_url() -> str:
    known = connection.settings_dict
    return make_conninfo(
        dbname=known["NAME"],
        user=known["USER"],
        password=known["PASSWORD"],
        host=known["HOST"],
        port=known["PORT"],
        application_name=APPLICATION,
    )


@contextmanager
def running(folder: Path, process: str = "") -> Iterator[Web]:
    """Runs uvicorn for as long as the block lasts; `process` as in settings ("web" has a pool)."""
    environment = {
        **os.environ,
        "DATABASE_URL": _database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.live.settings",
        "CONSULOPS_DATA": str(settings.DATA),
        "CONSULOPS_PROCESS": process,
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "consulops.asgi:application",
        "--log-level",
        "warning",
    ]
    with socket.socket() as door, (folder / "web.log").open("wb") as log:
        door.bind(("127.0.0.1", 0))
        # Whoever comes before the process accepts waits in the backlog.
        door.listen(512)
        with subprocess.Popen(
            [*command, "--timeout-graceful-shutdown", "1", "--fd", str(door.fileno())],
            env=environment,
            pass_fds=[door.fileno()],
            stdout=log,
            stderr=log,
        ) as web:
            try:
                yield Web(door.getsockname()[1], folder / "web.log")
            finally:
                web.terminate()
                web.wait(15)


class Stream:
    """A browser's end of one stream."""

    def __init__(self, web: Web, cookie: str, topics: str = "checks") -> None:
        self.link, self.response = web.begin(f"/live/stream?topics={topics}", cookie)

    @property
    def status(self) -> int:
        return self.response.status

    def event(self) -> str:
        """The next event's name; waits for it."""
        name = ""
        while line := self.response.readline().decode().strip("\r\n"):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
        return name

    def close(self) -> None:
        self.response.close()
        self.link.close()

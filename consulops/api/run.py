"""One run of `up`: from the first preparation to the last process that has ended."""

from __future__ import annotations

import http.client
import logging
import signal
import time
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.db import OperationalError, connections

from consulops.api import first_start
from consulops.api.demo import Demo
from consulops.core.up.preflight import CannotStart, split
from consulops.core.up.programs import configuration, programs
from consulops.core.up.supervision import Supervision
from consulops.env import Environment

log = logging.getLogger("consulops.up")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_EVERY_S = 0.2
# For so long the demo may hold back the line that says that all is ready.
DEMO_PATIENCE_S = 30
# After that it says what is missing, and goes on waiting.
PATIENCE_S = 60
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what people bind to


class Run:
    """Prepares everything, keeps the processes running until a signal, and stops them."""

    def __init__(self, environment: Environment, no_demo: bool) -> None:
        bind = environment.text("CONSULOPS_BIND")
        self._host, self._port = split(bind)
        self._url = environment.text("CONSULOPS_URL").rstrip("/") or f"http://{bind}"
        self._wish = False if no_demo else environment.flag("CONSULOPS_DEMO")
        self._demo: Demo | None = None
        self._stopping = False

    def until_stopped(self) -> None:
        """Returns after SIGINT, SIGTERM or SIGHUP. Raises CannotStart."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        self._prepare()
        file = self._configure(settings.DATA / "run")
        if self._stopping:
            return
        supervision = Supervision(file)
        try:
            self._attend(supervision)
        finally:
            log.info("stopping")
            supervision.stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _prepare(self) -> None:
        try:
            password = first_start.prepare()
            demo = Demo(settings.DATA)
            if demo.is_wanted(self._wish):
                self._demo = demo
        except OperationalError as error:
            first_line = str(error).strip().partition("\n")[0]
            raise CannotStart(f"the database does not answer: {first_line}") from error
        finally:
            connections.close_all()
        if password:
            # At once: this is the only time, whatever happens next.
            _say(f"Sign in as admin with the password {password} (it is not shown again)")

    def _configure(self, folder: Path) -> Path:
        running = programs(self._host, self._port, settings.DATA if self._demo else None)
        file = folder / "supervisord.conf"
        file.write_text(configuration(running, settings.BASE_DIR, folder), encoding="utf-8")
        return file

    def _attend(self, supervision: Supervision) -> None:
        """Waits for the signal; says when the product is ready, or what it still waits for."""
        started, is_ready, has_complained = time.monotonic(), False, False
        while not self._stopping:
            if supervision.has_ended():
                raise CannotStart("the supervisor of its processes has ended; start it again.")
            demo_runs = self._follow_demo()
            passed_s = time.monotonic() - started
            if not is_ready and (demo_runs or passed_s > DEMO_PATIENCE_S):
                missing = self._missing()
                is_ready = not missing
                if is_ready:
                    _say(f"ConsulOps is ready at {self._url}")
                elif passed_s > PATIENCE_S and not has_complained:
                    log.warning("not ready after %d s: %s", passed_s, missing)
                    has_complained = True
            time.sleep(LOOK_EVERY_S)

    def _follow_demo(self) -> bool:
        """Whether the demo runs and is shown, or there is none to wait for."""
        if self._demo is None:
            return True
        try:
            return self._demo.follow()
        except OperationalError:
            log.warning("the demo is not shown yet: the database does not answer")
            return False
        finally:
            connections.close_all()

    def _missing(self) -> str:
        """What keeps the product from being ready, empty when nothing does."""
        link = http.client.HTTPConnection(
            _EVERYWHERE.get(self._host, self._host), self._port, timeout=5
        )
        try:
            # The settings allow this name, whatever the address.
            link.request("GET", "/readyz", headers={"Host": "localhost"})
            answer = link.getresponse()
            return "" if answer.status == http.client.OK else answer.read(2000).decode()
        except (OSError, http.client.HTTPException) as error:
            return f"the web process does not answer ({error})"
        finally:
            link.close()


def _say(line: str) -> None:
    print(line, flush=True)

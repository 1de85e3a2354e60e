"""django-q2's cluster of worker processes, with a clean and bounded stop."""

from __future__ import annotations

import logging

from django_q.cluster import Cluster

from consulops.loops import lifeline

log = logging.getLogger(__name__)

# Whoever started us waits 10 s; tasks that do not end in time come back, they are idempotent.
STOP_S = 7.0


class Workers(Cluster):  # type: ignore[misc]  # django-q2 has no types
    """The main process: it starts the sentinel, which starts and watches the workers."""

    def run(self) -> bool:
        """Runs until SIGTERM or SIGINT, or until the sentinel dies; says whether it was clean.

        django-q2 leaves its main process waiting at exit and ends with success even when the
        sentinel was killed; then nobody would learn that this process has to be started again.
        """
        lifeline.tie()
        self.start()
        self.sentinel.join()
        return bool(self.sentinel.exitcode == 0)

    def stop(self) -> bool:
        """Tells everybody to stop; called by the signal handlers."""
        lifeline.cut()
        if self.sentinel is None or not self.sentinel.is_alive():
            return False
        self.stop_event.set()
        self.sentinel.join(STOP_S)
        if self.sentinel.is_alive():
            log.warning("tasks still run after %d s: killing their workers", STOP_S)
            # The workers die with it, see `lifeline`.
            self.sentinel.kill()
            self.sentinel.join()
        return True

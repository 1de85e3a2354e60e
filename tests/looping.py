"""Runs one real loop in this process, as a supervisor would, and waits for what it does."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

from django.utils import timezone

from consulops.loops import registry
from consulops.loops.bells import Bells
from consulops.loops.context import Context
from consulops.loops.database import DatabaseThread
from consulops.loops.models import Lease
from tests.waiting import WAIT_S


class RunningLoop:
    """A loop in a thread with its own event loop, under a lease that nobody else wants."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=key)
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        Lease.objects.update_or_create(
            key=self.key,
            defaults={
                "owner": "test",
                "epoch": 1,
                "expires_at": timezone.now() + timedelta(hours=1),
            },
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self.error is not None and error is None:
            raise self.error

    def stop(self) -> None:
        """Ends the loop; waits until its database connection is closed."""
        if self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(WAIT_S)

    def wait(self) -> None:
        """Waits until the loop ends by itself."""
        self._thread.join(WAIT_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._main())
            except asyncio.CancelledError:
                pass
            except Exception as error:
                self.error = error

    async def _main(self) -> None:
        self._task = asyncio.current_task()
        database, bells = DatabaseThread(), Bells()
        context = Context(self.key, "test", 1, database, bells)
        listening = asyncio.create_task(bells.listen())
        try:
            await registry.find(self.key).run(context)
        finally:
            context.close()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await database.close()

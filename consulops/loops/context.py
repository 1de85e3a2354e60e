"""What a loop is given while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import connection

from consulops.loops.bells import Bell, Bells
from consulops.loops.database import DatabaseThread

P = ParamSpec("P")
T = TypeVar("T")

# The row lock keeps a successor out until the writer's transaction has ended.
_FENCE = (
    "SELECT 1 FROM loops_lease"
    " WHERE key = %s AND owner = %s AND epoch = %s AND expires_at > now() FOR SHARE"
)


class LeaseLost(Exception):
    """Somebody else may run this loop now: nothing that it found out may be written."""


class Context:
    """One run of one loop: which one, under which lease, and how to reach the database."""

    def __init__(
        self,
        key: str,
        owner: str,
        epoch: int,
        database: DatabaseThread,
        bells: Bells,
        is_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self.key = key
        self.owner = owner
        self.epoch = epoch
        self._database = database
        self._bells = bells
        self._is_current = is_current
        self._hung: list[Bell] = []

    @property
    def subject(self) -> str:
        """The text after the first colon of the key: "3" of "checks:3"."""
        return self.key.partition(":")[2]

    async def database(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a short function in the supervisor's database thread."""
        return await self._database.run(function, *args, **kwargs)

    def fence(self) -> None:
        """Proves, inside a transaction, that the lease is still ours until it ends.

        Raises LeaseLost. Call it in every transaction in which a loop writes.
        """
        with connection.cursor() as cursor:
            cursor.execute(_FENCE, [self.key, self.owner, self.epoch])
            if cursor.fetchone() is None:
                raise LeaseLost(f"{self.key} is no longer ours (epoch {self.epoch})")

    def is_current(self) -> bool:
        """Whether the lease was renewed within its life: ask before what cannot be fenced.

        Not so after the process was stopped for a while; then another may do the same by now.
        """
        return self._is_current()

    def bell(self, channel: str) -> Bell:
        """A bell that rings when the channel is notified, and after every gap in listening."""
        bell = self._bells.hang(channel)
        self._hung.append(bell)
        return bell

    def close(self) -> None:
        """Takes the bells down; the supervisor calls it when the run has ended."""
        for bell in self._hung:
            self._bells.take_down(bell)

"""Long-lived work: what an app declares in its `loops.py` so that exactly one worker runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from consulops.loops.context import Context

_loops: dict[str, Loop] = {}


class Loop(ABC):
    """A kind of long-lived work; each of its keys ("checks:3") is leased and run on its own."""

    kind: ClassVar[str]

    @abstractmethod
    def keys(self) -> list[str]:
        """The keys that should run now, read from the database: `kind` or `kind:subject`."""

    @abstractmethod
    async def run(self, context: Context) -> None:
        """Works until it is cancelled; whatever it raises is logged, and it is run again."""


def register(loop: Loop) -> None:
    """Makes a loop known to the supervisors; a kind is registered once."""
    if loop.kind in _loops:
        raise ValueError(f"two loops of the kind {loop.kind}")
    _loops[loop.kind] = loop


def find(key: str) -> Loop:
    """The loop that runs this key. Raises KeyError when no app has registered its kind."""
    return _loops[key.partition(":")[0]]


def desired_keys() -> list[str]:
    """Every key that should run now."""
    keys: set[str] = set()
    for loop in _loops.values():
        keys.update(loop.keys())
    return sorted(keys)

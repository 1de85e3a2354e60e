"""How long it took to recover: printed, for a person; nothing depends on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Prints how long the block took; `pytest -s` shows it."""
    began = time.monotonic()
    yield
    print(f"\n[faults] {what}: {time.monotonic() - began:.2f} s")

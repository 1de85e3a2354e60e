"""Waiting for what happens elsewhere and rings no bell."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
WAIT_S = 30.0


def eventually(look: Callable[[], T], timeout_s: float = WAIT_S) -> T:
    """What `look` returns once it is true; looks again and again until then."""
    end = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"still {found!r} after {timeout_s:g} s")
        time.sleep(0.02)
    return found

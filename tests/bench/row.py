"""A row of the table: what is measured, what is promised, and what came out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.world import World


@dataclass(frozen=True, slots=True)
class Measured:
    """The samples of one row, and what else is worth knowing of them."""

    samples: list[float]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `elsewhere` is a published figure of consul-alerts, not measured here.

    The product watches so many `clusters`, each with so many `checks`.
    """

    name: str
    what: str
    unit: str
    checks: int
    trials: int
    measure: Callable[[World, int], Measured]
    median: float | None = None
    p95: float | None = None
    worst: float | None = None
    elsewhere: str = ""
    clusters: int = 1

    @property
    def target(self) -> str:
        limits = {"median": self.median, "p95": self.p95, "max": self.worst}
        said = [f"{name} ≤ {limit:g}" for name, limit in limits.items() if limit is not None]
        return ", ".join(said)

    def is_met(self, samples: Sequence[float]) -> bool:
        """Whether these samples keep what is promised."""
        found = (statistics.median(samples), percentile(samples, 95), max(samples))
        limits = (self.median, self.p95, self.worst)
        return all(
            limit is None or value <= limit for value, limit in zip(found, limits, strict=True)
        )


class Broken(Exception):
    """The product did something wrong while it was measured: no figure makes up for that."""


def percentile(samples: Sequence[float], percent: int) -> float:
    """The smallest sample that at least so many percent of them do not exceed."""
    return sorted(samples)[math.ceil(len(samples) * percent / 100) - 1]

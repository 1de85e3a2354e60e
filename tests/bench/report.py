"""Shows what was measured, and keeps it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.row import Measured, Row, percentile

HEADINGS = ("what", "unit", "n", "min", "median", "p95", "max", "target", "", "consul-alerts*")
NOTE = "* Measured elsewhere; consul-alerts is not run here. See docs/benchmarks.md."


def line(row: Row, measured: Measured) -> list[str]:
    """One line of the table."""
    samples = measured.samples
    figures = (min(samples), statistics.median(samples), percentile(samples, 95), max(samples))
    verdict = "met" if row.is_met(samples) else "MISSED"
    return [
        row.what,
        row.unit,
        str(len(samples)),
        *(f"{value:.1f}" if value >= 10 else f"{value:.2f}" for value in figures),
        row.target,
        verdict,
        row.elsewhere,
    ]


def table(lines: Sequence[Sequence[str]]) -> str:
    """The lines under their headings, as a table that Markdown reads too."""
    rows = [HEADINGS, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def keep(folder: Path, row: Row, measured: Measured, machine: Mapping[str, Any]) -> None:
    """Writes everything about one row to a file of its own."""
    samples = measured.samples
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "name": row.name,
        "what": row.what,
        "unit": row.unit,
        "min": min(samples),
        "median": statistics.median(samples),
        "p95": percentile(samples, 95),
        "max": max(samples),
        "target": row.target,
        "met": row.is_met(samples),
        "samples": samples,
        "facts": measured.facts,
        "consul_alerts_measured_elsewhere": row.elsewhere,
        "machine": dict(machine),
    }
    text = json.dumps(record, indent=2) + "\n"
    (folder / f"{row.name}.json").write_text(text, encoding="utf-8")

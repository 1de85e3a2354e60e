"""Measures the rows that are named, or all: python -m tests.bench [--quick] [NAME…]."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType

from consulops.lab import binary
from tests.bench import machine, report
from tests.bench.row import Broken, Row
from tests.bench.rows import ROWS
from tests.bench.world import World

VAR = Path(__file__).resolve().parent.parent.parent / "var"


def main() -> int:
    """Prints the table; 1 when the product did something wrong, and not when it was slow."""
    options = _options()
    # Like Ctrl-C: whatever was started is stopped.
    signal.signal(signal.SIGTERM, _on_sigterm)
    wanted = [row for row in ROWS if row.name in options.names or not options.names]
    lines: list[list[str]] = []
    try:
        consul = binary.find(VAR) or binary.fetch(VAR)
        lines.extend(_measured(consul, wanted, options.quick))
    except (Broken, binary.NoConsul) as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    print()
    print(report.table(lines))
    print(report.NOTE)
    return 0


def _measured(consul: Path, rows: Sequence[Row], quick: bool) -> Iterator[list[str]]:
    for (clusters, checks), group in groupby(rows, key=lambda row: (row.clusters, row.checks)):
        _say(f"starting the product: clusters {clusters}, checks in each {checks:,}")
        with World(consul, clusters, checks) as world:
            for row in group:
                _say(f"measuring {row.name}: {row.what}")
                facts = machine.facts(consul, world.link)
                facts["load_before"] = machine.load()
                trials = max(1, row.trials // 6) if quick else row.trials
                measured = row.measure(world, trials)
                facts["load_after"] = machine.load()
                report.keep(VAR / "bench", row, measured, facts)
                line = report.line(row, measured)
                _say("  " + " | ".join(line[1:-1]) + f" | load {facts['load_after']}")
                yield line


def _options() -> argparse.Namespace:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="a sixth of the trials")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in names]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(names)}")
    return options


def _on_sigterm(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m consulops.lab`: finds or fetches consul, and runs the demo in the foreground."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

from consulops.lab import binary
from consulops.lab.demo import Demo
from consulops.lab.server import LabError


def main() -> int:
    """Runs the command; the exit status is 1 when it could not be done, and stderr says why."""
    parser = argparse.ArgumentParser(prog="python -m consulops.lab", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("var"), help="data folder (./var)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "find": "print the path of the consul binary to use",
        "fetch": "the same, but fetch one when there is none",
        "demo": "run two joined datacenters until SIGINT or SIGTERM",
    }.items():
        command = commands.add_parser(name, help=text)
        # After the command too; suppressed, so that it does not undo one that stands before it.
        command.add_argument("--data", type=Path, default=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return _run(given.command, given.data)
    except (binary.NoConsul, LabError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: str, data: Path) -> int:
    found = binary.find(data)
    if found is None and command == "fetch":
        found = binary.fetch(data)
    if found is None:
        raise binary.NoConsul("No consul binary found: run the command `fetch`.")
    if command == "demo":
        _demo(found, data)
    else:
        print(found)
    return 0


def _demo(consul: Path, data: Path) -> None:
    # Both unwind the stack, so that nothing stays behind in the middle of the start either. SIGINT
    # too, because a shell starts its background jobs with that ignored.
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    with suppress(KeyboardInterrupt), Demo(consul, data) as demo:
        print(demo.hint(), flush=True)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())

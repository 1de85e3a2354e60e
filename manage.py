#!/usr/bin/env python
"""The command line of ConsulOps."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from consulops.core import embedded_postgres
from consulops.env import BadEnvironment, Environment

# These work on the code alone.
WITHOUT_DATABASE = {"help", "--help", "-h", "--version", "makemigrations", "collectstatic"}


def main() -> None:
    """Runs one command; without DATABASE_URL the embedded server is up for as long as it lasts."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "consulops.settings")
    from django.core.management import execute_from_command_line

    try:
        environment = Environment()
    except BadEnvironment as error:
        raise SystemExit(f"ConsulOps cannot start: {error}") from None
    with ExitStack() as stack:
        needs_database = len(sys.argv) > 1 and sys.argv[1] not in WITHOUT_DATABASE
        if needs_database and not environment.text("DATABASE_URL"):
            server = embedded_postgres.running(environment.path("CONSULOPS_DATA"))
            os.environ["DATABASE_URL"] = stack.enter_context(server)
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

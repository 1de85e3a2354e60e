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

    if sys.argv[1:2] == ["work"] and len(sys.argv) > 2:
        # django-q2 reads while Django starts whose worker this is.
        os.environ["Q_CLUSTER_NAME"] = os.environ["CONSULOPS_PROCESS"] = sys.argv[2]
    if sys.argv[1:2] == ["work"]:
        # The settings depend on it.
        os.environ.setdefault("CONSULOPS_PROCESS", "".join(sys.argv[2:3]))
    with ExitStack() as stack:
        try:
            environment = Environment()
            if _needs_database(sys.argv[1:]) and not environment.text("DATABASE_URL"):
                server = embedded_postgres.running(environment.path("CONSULOPS_DATA"))
                os.environ["DATABASE_URL"] = stack.enter_context(server)
                os.environ.pop("DATABASE_URL_FILE", None)
        except (BadEnvironment, embedded_postgres.CannotStart) as error:
            raise SystemExit(f"ConsulOps cannot start: {error}") from None
        from django.db import OperationalError

        try:
            execute_from_command_line(sys.argv)
        except OperationalError as error:
            first_line = str(error).strip().partition("\n")[0]
            raise SystemExit(f"The database does not answer: {first_line}") from error


def _needs_database(words: list[str]) -> bool:
    # A handler of `consul watch` runs at each change of a check, and only hands it over.
    if words[:2] == ["alerts", "watch"]:
        return False
    return bool(words) and words[0] not in WITHOUT_DATABASE and not {"-h", "--help"} & set(words)


if __name__ == "__main__":
    main()

"""Whether this machine can do its work: what a load balancer or an operator asks."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from consulops.loops.models import Supervisor


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each part with "ok" or what is wrong with it."""

    parts: dict[str, str]

    @property
    def is_ready(self) -> bool:
        return all(text == "ok" for text in self.parts.values())


_OPEN = "not known while the database does not answer"


def look() -> Readiness:
    """Asks the database, compares the migrations, and looks for a supervisor that is alive."""
    try:
        migrations = _migrations()
        supervisor = _supervisor() if migrations == "ok" else "not known before the migrations"
    except DatabaseError as error:
        text = str(error).strip().partition("\n")[0] or type(error).__name__
        return Readiness({"database": text, "migrations": _OPEN, "supervisor": _OPEN})
    return Readiness({"database": "ok", "migrations": migrations, "supervisor": supervisor})


# Migrations that were applied stay so: the files are read until the first time that all are.
_applied = False


def _migrations() -> str:
    global _applied
    if not _applied:
        executor = MigrationExecutor(connection)
        left = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if left:
            return f"{len(left)} not applied; run manage.py migrate"
        _applied = True
    return "ok"


def _supervisor() -> str:
    if Supervisor.objects.alive().exists():
        return "ok"
    return "none alive; is a watch process running?"

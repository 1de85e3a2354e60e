"""Makes the database agree with a document, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from consulops.accounts.audit import Actor
from consulops.api.configuration.document import Document
from consulops.api.configuration.problems import BadFile
from consulops.api.configuration.section import Change, Task
from consulops.api.configuration.sections import ALL


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


def apply(actor: Actor, document: Document, *, prune: bool, dry_run: bool) -> list[Change]:
    """Creates and changes what the document names; with `prune` removes the rest of its sections.

    A dry run does everything and takes it back, so that it promises exactly what would happen.
    Raises BadFile with all problems, and then nothing has changed.
    """
    task = Task(actor, document, prune, list(document.problems))
    try:
        with transaction.atomic():
            changes = list(_run(task))
            if task.problems:
                raise BadFile(task.problems)
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return changes


def _run(task: Task) -> Iterator[Change]:
    for section in ALL:
        for position, item in (task.document.items[section.name] or {}).items():
            place = (section.name,) if section.is_single else (section.name, position)
            yield from section.apply(task, place, item)
    for section in reversed(ALL):
        if task.document.items[section.name] is not None and not task.problems:
            yield from section.finish(task)

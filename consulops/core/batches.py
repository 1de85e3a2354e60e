"""Large deletions in small pieces."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

SIZE = 1000


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Deletes in short transactions, so that others can go on in between; returns how many."""
    count = 0
    while batch := list(rows.order_by("pk").values_list("pk", flat=True)[:SIZE]):
        rows.model._default_manager.filter(pk__in=batch).delete()
        count += len(batch)
    return count

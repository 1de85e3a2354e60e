"""Everything that happened to one alert, in one row of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Left

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Alert, Comment, Delivery
from consulops.alerts.story import listed
from consulops.health.models import Transition
from consulops.health.rows import OUTPUT_SHOWN

# Of each sort of entry, the newest.
SHOWN = 50
# What the check went through before the alert and after it says how it came and whether it holds.
AROUND = timedelta(hours=1)

_TOLD = {"alert.acknowledged": "took it on", "alert.unacknowledged": "took that back"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; of the last four, one is set."""

    at: datetime
    change: Transition | None = None
    delivery: Delivery | None = None
    comment: Comment | None = None
    # What somebody did: the record of it, and the words for it.
    deed: AuditEntry | None = None
    words: str = ""

    @property
    def status(self) -> str:
        """What colours its dot."""
        return self.change.status if self.change else ""


def timeline(alert: Alert) -> list[Entry]:
    """The changes of its check, its messages, comments and acknowledgements, newest first."""
    entries = [*_changes(alert), *_deliveries(alert), *_comments(alert), *_deeds(alert)]
    # Of one moment the change comes first, and then what followed from it.
    return sorted(entries, key=lambda entry: (entry.at, entry.change is None), reverse=True)


def _changes(alert: Alert) -> Iterator[Entry]:
    found = Transition.objects.filter(
        check_ref=alert.check_ref_id, at__gte=alert.opened_at - AROUND
    )
    if alert.resolved_at is not None:
        found = found.filter(at__lte=alert.resolved_at + AROUND)
    short = found.defer("output").annotate(shown=Left("output", OUTPUT_SHOWN))
    return (Entry(one.at, change=one) for one in short.order_by("-at", "-id")[:SHOWN])


def _deliveries(alert: Alert) -> Iterator[Entry]:
    found: Iterable[Delivery] = listed(alert.deliveries.all())[:SHOWN]
    return (Entry(one.created_at, delivery=one) for one in found)


def _comments(alert: Alert) -> Iterator[Entry]:
    return (Entry(one.at, comment=one) for one in alert.comments.order_by("-at", "-id")[:SHOWN])


def _deeds(alert: Alert) -> Iterator[Entry]:
    record = Q(object_type="alert", object_id=str(alert.pk), action__in=_TOLD)
    rows = AuditEntry.objects.filter(record)[:SHOWN]
    return (Entry(one.at, deed=one, words=_TOLD[one.action]) for one in rows)

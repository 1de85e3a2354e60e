"""Reads of silences that pages and the pipeline share."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Count, Q, QuerySet, TextField
from django.db.models.functions import Cast

if TYPE_CHECKING:
    from consulops.silences.models import Silence  # noqa: F401 - named below, in quotes


def _active(now: datetime) -> Q:
    return Q(starts_at__lte=now) & (Q(ends_at__isnull=True) | Q(ends_at__gt=now))


class SilenceQuerySet(QuerySet["Silence"]):
    """Silences by where they are in their time; a recurring one is active between its windows."""

    def active(self, now: datetime) -> SilenceQuerySet:
        """Those that have begun and not ended."""
        return self.filter(_active(now))

    def upcoming(self, now: datetime) -> SilenceQuerySet:
        """Those that have not begun."""
        return self.filter(starts_at__gt=now)

    def expired(self, now: datetime) -> SilenceQuerySet:
        """Those that have ended."""
        return self.filter(starts_at__lte=now, ends_at__lte=now)

    def living(self, now: datetime) -> SilenceQuerySet:
        """Those that have not ended, begun or not."""
        return self.exclude(ends_at__lte=now)

    def without_end(self) -> SilenceQuerySet:
        """Those that nobody has set an end for."""
        return self.filter(ends_at__isnull=True)

    def mentioning(self, text: str) -> SilenceQuerySet:
        """Those with every one of these words in the comment, the author's name or a matcher."""
        found = self.alias(matchers=Cast("match", TextField()))
        for word in text.split():
            found = found.filter(
                Q(comment__icontains=word)
                | Q(author_name__icontains=word)
                | Q(matchers__icontains=word)
            )
        return found

    def counts(self, now: datetime) -> dict[str, int]:
        """How many are active, upcoming, expired, and all together."""
        return self.aggregate(
            active=Count("pk", filter=_active(now)),
            upcoming=Count("pk", filter=Q(starts_at__gt=now)),
            expired=Count("pk", filter=Q(starts_at__lte=now, ends_at__lte=now)),
            all=Count("pk"),
        )

"""Every write to silences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.core import windows
from consulops.core.batches import delete_in_batches
from consulops.live.services import publish
from consulops.silences import guards
from consulops.silences.guards import BadSilence, Wanted
from consulops.silences.models import Origin, Silence
from consulops.silences.signals import silences_changed

_FIELDS = ("match", "comment", "starts_at", "ends_at", "windows")


def create(actor: Actor, wanted: Wanted, origin: Origin = Origin.PAGE) -> Silence:
    """Makes a silence; open alerts that it means are looked at again. Raises BadSilence."""
    return create_many(actor, [wanted], origin)[0]


def create_many(
    actor: Actor, wanted: Sequence[Wanted], origin: Origin = Origin.PAGE
) -> list[Silence]:
    """Makes several; open alerts are looked at once for all of them. Raises BadSilence."""
    now, may_be_endless = timezone.now(), _may_be_endless(actor)
    for one in wanted:
        guards.check(one, now, may_be_endless=may_be_endless)
    made = [Silence(author=actor.user, author_name=actor.name[:150], origin=origin) for _ in wanted]
    with transaction.atomic():
        for silence, one in zip(made, wanted, strict=True):
            _put(silence, one)
            silence.save()
            changes = changed_fields({}, _snapshot(silence), set())
            record(actor, "silence.created", silence, {"changed": changes})
        _ring()
    return made


def change(actor: Actor, silence: Silence, wanted: Wanted) -> list[str]:
    """Makes a silence what is wanted now; returns the names of what changed. Raises BadSilence."""
    guards.check(wanted, timezone.now(), may_be_endless=_may_be_endless(actor))
    with transaction.atomic():
        row = _locked(silence)
        before = _snapshot(row)
        _put(row, wanted)
        changes = changed_fields(before, _snapshot(row), set())
        if changes:
            row.save()
            _tell(actor, "silence.updated", row, changes)
    return list(changes)


def expire(actor: Actor, silence: Silence) -> bool:
    """Ends a silence now, or calls one off that has not begun; False when it is over already."""
    with transaction.atomic():
        row, now = _locked(silence), timezone.now()
        if row.ends_at is not None and row.ends_at <= now:
            return False
        before = _snapshot(row)
        row.starts_at, row.ends_at = min(row.starts_at, now), now
        row.save(update_fields=("starts_at", "ends_at", "updated_at"))
        _tell(actor, "silence.expired", row, changed_fields(before, _snapshot(row), set()))
    return True


def extend(actor: Actor, silence: Silence, by: timedelta) -> Silence:
    """Puts the end of a silence off, and returns it. Raises BadSilence when it has none or is over.

    What is over is made anew instead: nobody shall believe that it held in between.
    """
    with transaction.atomic():
        row, now = _locked(silence), timezone.now()
        if row.ends_at is None:
            raise BadSilence(("ends_at", "it has no end"))
        if row.ends_at <= now:
            raise BadSilence(("ends_at", "it is over; make a new one"))
        before = _snapshot(row)
        row.ends_at += by
        if row.ends_at - max(row.starts_at, now) > guards.LONGEST:
            raise BadSilence(("ends_at", "it would be longer than a year"))
        row.save(update_fields=("ends_at", "updated_at"))
        _tell(actor, "silence.extended", row, changed_fields(before, _snapshot(row), set()))
    return row


def prune(now: datetime) -> int:
    """Removes silences that ended beyond the retention; returns how many."""
    limit = now - timedelta(days=settings.RETENTION_DAYS)
    return delete_in_batches(Silence.objects.filter(ends_at__lt=limit))


def _may_be_endless(actor: Actor) -> bool:
    # Commands are run by those who may do everything anyway.
    return actor.user is None or actor.user.is_admin


def _put(silence: Silence, wanted: Wanted) -> None:
    silence.match, silence.comment = dict(wanted.match), wanted.comment.strip()
    silence.starts_at, silence.ends_at = wanted.starts_at, wanted.ends_at
    silence.windows = windows.stored(windows.parse(wanted.windows))


def _locked(silence: Silence) -> Silence:
    return Silence.objects.select_for_update().get(pk=silence.pk)


def _snapshot(silence: Silence) -> dict[str, Any]:
    return {field: getattr(silence, field) for field in _FIELDS}


def _tell(actor: Actor, action: str, silence: Silence, changes: dict[str, Any]) -> None:
    """Records, tells those who decide about alerts, and rings, all in the caller's transaction."""
    record(actor, action, silence, {"changed": changes})
    _ring()


def _ring() -> None:
    silences_changed.send(sender=Silence)
    publish("silences")

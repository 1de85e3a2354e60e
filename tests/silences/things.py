"""Silences for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from consulops.accounts.audit import Actor
from consulops.silences.guards import Wanted
from consulops.silences.models import Silence
from consulops.silences.services import create

TEST = Actor.named("test")
HOUR = timedelta(hours=1)


def wanted(**values: Any) -> Wanted:
    """An hour of quiet about the service web, unless the values say otherwise."""
    now = timezone.now()
    usual: dict[str, Any] = {
        "match": {"service": "web"},
        "comment": "migration",
        "starts_at": now,
        "ends_at": now + HOUR,
        "windows": [],
    }
    return Wanted(**{**usual, **values})


def make_silence(actor: Actor = TEST, **values: Any) -> Silence:
    return create(actor, wanted(**values))


def put_in_time(silence: Silence, **times: Any) -> Silence:
    """Moves a silence to times that no service would allow any more."""
    Silence.objects.filter(pk=silence.pk).update(**times)
    silence.refresh_from_db()
    return silence

"""Every write of the watchdog: its checks, its settings, and how the heartbeat fares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.clusters.models import Cluster
from consulops.core import postgres
from consulops.core.crypto import WrongKey
from consulops.core.status import Status
from consulops.health import services as health
from consulops.health.models import Check, Source
from consulops.health.observation import Observation
from consulops.live.services import publish
from consulops.watchdog.facts import Facts
from consulops.watchdog.heartbeat import Pinged, ping
from consulops.watchdog.judgement import (
    Finding,
    Patience,
    judge_cluster,
    judge_notifier,
    judge_supervisor,
)
from consulops.watchdog.models import Watchdog

SECRETS = frozenset({"heartbeat_url"})
SETTINGS = (
    *("unreachable_after_s", "delivery_after_s"),
    *("heartbeat_url", "heartbeat_every_s", "heartbeat_tells_failure"),
)

Fence = Callable[[], None]


def look(facts: Facts, patience: Patience, running_since: datetime, fence: Fence) -> int:
    """Stores what our checks say differently from before; returns how many.

    Raises LeaseLost (from the fence); then the cluster at which that happened has nothing new.
    """
    wanted = _findings(facts, running_since)
    changes = 0
    for pk in wanted.keys() | facts.checks.keys():
        present = facts.checks.get(pk, {})
        before = {name: check.status for name, check in present.items()}
        findings = patience.ripe(pk, wanted.get(pk, ()), before, facts.now)
        news = [one for one in findings if _is_news(one, present.get(one.check_id))]
        gone = present.keys() - {one.check_id for one in findings}
        if news or gone:
            store(Cluster.every.get(pk=pk), news, gone, fence)
            changes += len(news) + len(gone)
    return changes


def _findings(facts: Facts, running_since: datetime) -> dict[int, list[Finding]]:
    found = {
        pk: judge_cluster(one, facts.terms, facts.now, running_since)
        for pk, one in facts.cluster_facts.items()
    }
    # Whoever asks is a loop, which a supervisor runs.
    found[Cluster.ourselves().pk] = [
        judge_supervisor(lives=True),
        *(judge_notifier(one, facts.terms, facts.now, running_since) for one in facts.notifiers),
    ]
    return found


def store(cluster: Cluster, findings: Iterable[Finding], gone: Iterable[str], fence: Fence) -> None:
    """Records findings as checks of a cluster, and lets others of them go."""
    seen = [_observation(one, one.status) for one in findings if one.status is not None]
    with transaction.atomic():
        # The loop and whoever finds it dead could otherwise both open an alert.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('consulops watchdog'))")
        where = health.Recording(cluster, fence, source=Source.CONSULOPS)
        health.record(where, seen, [("", name) for name in gone])
        publish("system")


def _is_news(finding: Finding, present: Check | None) -> bool:
    if finding.status is None:
        return False
    return present is None or (finding.status, finding.text, finding.name) != (
        present.status,
        present.output,
        present.name,
    )


def _observation(finding: Finding, status: Status) -> Observation:
    return Observation(
        node="",
        check_id=finding.check_id,
        name=finding.name,
        service_id="",
        service="",
        tags=(),
        status=status,
        output=finding.text,
        notes="",
        modify_index=0,
    )


def save_settings(actor: Actor, values: Mapping[str, Any]) -> list[str]:
    """Changes the settings in `values`; returns the names of those that changed.

    Raises ValidationError, and then nothing has changed.
    """
    with transaction.atomic():
        watchdog = Watchdog.objects.select_for_update().first() or Watchdog()
        before = {name: _present(watchdog, name) for name in values}
        for name, value in values.items():
            setattr(watchdog, name, value)
        watchdog.full_clean(exclude=SECRETS - values.keys())
        changes = changed_fields(before, dict(values), SECRETS)
        if not changes:
            return []
        if "heartbeat_url" in changes:
            watchdog.heartbeat_set_at = timezone.now() if values["heartbeat_url"] else None
            watchdog.heartbeat_at, watchdog.heartbeat_error = None, ""
        watchdog.save()
        record(actor, "watchdog.updated", watchdog, {"changed": changes})
        postgres.notify(postgres.LOOPS)
        publish("system")
    return list(changes)


def _present(watchdog: Watchdog, name: str) -> object:
    """The value before a change; None for a secret that no key opens, so that any is new."""
    try:
        return getattr(watchdog, name)
    except WrongKey:
        return None


def prove_writable(fence: Fence) -> None:
    """Writes to the database what changes nothing. Raises DatabaseError when it takes no writes."""
    with transaction.atomic():
        fence()
        Watchdog.objects.update(heartbeat_every_s=F("heartbeat_every_s"))


def pinged(at: datetime, error: str, fence: Fence) -> None:
    """The heartbeat was sent, or could not be: then the error says why."""
    fields: dict[str, Any] = {"heartbeat_error": error}
    if not error:
        fields["heartbeat_at"] = at
    with transaction.atomic():
        fence()
        Watchdog.objects.update(**fields)
        publish("system")


def ping_now(actor: Actor) -> Pinged | None:
    """Pings the saved address as if all were well; None when there is none. Raises WrongKey."""
    watchdog = Watchdog.load()
    if watchdog.heartbeat_set_at is None:
        return None
    answer = asyncio.run(ping(watchdog.heartbeat_url, []))
    with transaction.atomic():
        record(actor, "watchdog.pinged", watchdog, {"ok": answer.ok})
        pinged(timezone.now(), "" if answer.ok else answer.answer, lambda: None)
    return answer

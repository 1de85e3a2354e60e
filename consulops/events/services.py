"""Every change of handlers, the events that are taken in or fired, and forgetting old ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.clusters.models import Cluster
from consulops.consulapi import Client, ConsulError, UserEvent, fire_event
from consulops.consulapi.events import KEPT
from consulops.core import postgres
from consulops.core.batches import delete_in_batches
from consulops.core.crypto import WrongKey
from consulops.events.matching import Wanted, wanted
from consulops.events.models import Event, EventHandler, Feed, Run, RunState
from consulops.live.services import publish

HANDLER = ("name", "enabled", "event_pattern", "cluster_pattern", "kind", "config", "timeout_s")
LARGEST_LTIME = 2**63 - 1
FIRE_TIMEOUT_S = 5.0


class ReadOnly(Exception):
    """Nothing is fired into a cluster that is marked read-only."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a list of events: how many were new, and whether some may be missing."""

    new: int
    may_have_missed: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """An event to fire; the filters are regular expressions, empty for all."""

    name: str
    payload: bytes = b""
    node: str = ""
    service: str = ""
    tag: str = ""


def take(cluster: Cluster, found: Sequence[UserEvent], fence: Callable[[], None]) -> Taken:
    """Stores what is new in an agent's list, with a run for each handler that means it.

    At the first look at a cluster everything in the list is the past: it is stored, and nothing
    runs for it. Raises LeaseLost.
    """
    now = timezone.now()
    with transaction.atomic():
        fence()
        feed, _ = Feed.objects.get_or_create(cluster=cluster)
        ids = [event.id for event in found]
        known = set(_rows(cluster, ids).values_list("event_id", flat=True))
        is_first = feed.address != cluster.address and not known
        # A shorter list has lost nothing: its agent has been restarted since.
        missed = not is_first and not known and len(found) >= KEPT
        _note(feed, cluster, now, missed)
        news = [event for event in found if event.id not in known]
        if news:
            _store(cluster, news, now, fresh=not is_first)
            publish("events")
    return Taken(len(news), missed)


def _rows(cluster: Cluster, ids: Sequence[str]) -> Any:
    return Event.objects.filter(cluster=cluster, event_id__in=ids)


def _note(feed: Feed, cluster: Cluster, now: datetime, missed: bool) -> None:
    before = (feed.address, feed.gap_at, feed.error)
    feed.address, feed.error = cluster.address, ""
    if missed:
        feed.gap_at = now
    if before != (feed.address, feed.gap_at, feed.error):
        feed.save()
        publish("events")


def _store(cluster: Cluster, news: Sequence[UserEvent], now: datetime, *, fresh: bool) -> None:
    Event.objects.bulk_create(
        [
            Event(
                cluster=cluster,
                event_id=event.id,
                name=_text(event.name),
                payload=event.payload,
                node_filter=_text(event.node_filter),
                service_filter=_text(event.service_filter),
                tag_filter=_text(event.tag_filter),
                version=event.version,
                ltime=min(event.ltime, LARGEST_LTIME),
                seen_at=now,
                fresh=fresh,
            )
            for event in news
        ],
        ignore_conflicts=True,
    )
    if fresh:
        rows = _rows(cluster, [event.id for event in news]).order_by("pk")
        queue_runs(wanted(EventHandler.objects.filter(enabled=True)), rows, cluster.name)


def queue_runs(handlers: Sequence[Wanted], events: Sequence[Event], cluster: str) -> None:
    """Makes a run for each handler that means an event, once, and wakes who runs them."""
    now = timezone.now()
    runs = [
        Run(
            event=event,
            handler=one.handler,
            handler_name=one.handler.name,
            kind=one.handler.kind,
            created_at=now,
            next_at=now,
        )
        for event in events
        for one in handlers
        if one.means(event.name, cluster)
    ]
    if runs:
        Run.objects.bulk_create(runs, ignore_conflicts=True)
        postgres.notify(postgres.EVENTS)


def feed_failed(cluster: Cluster, text: str, fence: Callable[[], None]) -> None:
    """Notes why a cluster's events cannot be read. Raises LeaseLost."""
    with transaction.atomic():
        fence()
        feed, _ = Feed.objects.get_or_create(cluster=cluster)
        if feed.error != text:
            feed.error = text
            feed.save(update_fields=["error"])
            publish("events")


def fire(actor: Actor, cluster: Cluster, wish: Wish) -> str:
    """Fires an event into a cluster and returns its id; the watcher takes it in like any other.

    Raises ReadOnly, WrongKey and ConsulError; after a timeout nobody knows whether it was fired.
    """
    if cluster.read_only:
        raise ReadOnly(f"{cluster.name} is read-only: nothing is fired into it.")
    filters = {"node": wish.node, "service": wish.service, "tag": wish.tag}
    detail: dict[str, Any] = {"event": wish.name, "bytes": len(wish.payload)}
    detail |= {f"{name}_filter": one for name, one in filters.items() if one}
    try:
        with Client(cluster.connection(), timeout_s=FIRE_TIMEOUT_S) as client:
            fired = fire_event(client, wish.name, wish.payload, **filters)
    except ConsulError as error:
        record(actor, "event.not_fired", cluster, {**detail, "error": error.text})
        raise
    record(actor, "event.fired", cluster, {**detail, "id": fired.id})
    return fired.id


@transaction.atomic
def save_handler(actor: Actor, handler: EventHandler) -> bool:
    """Creates the handler or stores its changed settings; whether there was anything to store.

    `config` and `secrets` must have been checked by the form or by `kinds.settings_of`. What
    waits for a handler that is switched off is not run later: it would be news no more.
    """
    before = EventHandler.objects.select_for_update().filter(pk=handler.pk).first()
    changes = changed_fields(_facts(before), _facts(handler), {"secrets"})
    if before and not changes:
        return False
    if "secrets" in changes:
        handler.secrets_at = timezone.now()
    handler.save(force_insert=before is None)
    if not handler.enabled:
        _drop_waiting(handler, "The handler was switched off.")
    action = "event_handler.updated" if before else "event_handler.created"
    record(actor, action, handler, {"changed": changes})
    publish("events", "audit")
    return True


@transaction.atomic
def delete_handler(actor: Actor, handler: EventHandler) -> None:
    """Deletes a handler; what it did stays in the list, what waits for it is not run."""
    _drop_waiting(handler, "The handler was deleted.")
    record(actor, "event_handler.deleted", handler)
    handler.delete()
    publish("events", "audit")


def prune(now: datetime) -> dict[str, int]:
    """Removes events beyond their retention with their runs; returns how many.

    The newest of each cluster stay, however old: they may still be in its agents' lists, and what
    we had forgotten we would take for news.
    """
    rank = Window(RowNumber(), partition_by=F("cluster"), order_by=F("pk").desc())
    newest = Event.objects.annotate(rank=rank).filter(rank__lte=2 * KEPT).values("pk")
    limit = now - timedelta(days=settings.RETENTION_DAYS)
    old = Event.objects.filter(seen_at__lt=limit).exclude(pk__in=newest)
    return {"events": delete_in_batches(old)}


def _drop_waiting(handler: EventHandler, why: str) -> None:
    waiting = Run.objects.filter(handler=handler, state=RunState.QUEUED)
    waiting.update(state=RunState.FAILED, result=why, finished_at=timezone.now())


def _facts(handler: EventHandler | None) -> Mapping[str, Any]:
    if handler is None:
        # A handler that needs no secret is made without a word about secrets.
        return {"secrets": {}}
    facts = {name: getattr(handler, name) for name in HANDLER}
    try:
        return {**facts, "secrets": handler.secrets}
    except WrongKey:
        # Whatever comes in its place is a change.
        return {**facts, "secrets": None}


def _text(text: str) -> str:
    # PostgreSQL takes no NUL in a text.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")

"""Makes notifiers, silences, routes and handlers of a plan, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from consulops.accounts.audit import Actor, record
from consulops.alerts.models import Route
from consulops.alerts.services import delete_route, save_route
from consulops.api.configuration.section import Change
from consulops.api.consul_alerts import findings, names, patterns
from consulops.api.consul_alerts.findings import Finding
from consulops.api.consul_alerts.planning import GROUP_WAIT_S, Plan
from consulops.clusters.models import Cluster
from consulops.events.kinds import KINDS
from consulops.events.models import EventHandler, HandlerKind
from consulops.events.services import delete_handler, save_handler
from consulops.notifiers.config import ConfigError, cleaned
from consulops.notifiers.models import Notifier
from consulops.notifiers.services import InUse, delete_notifier, save_notifier
from consulops.silences import services as silences
from consulops.silences.guards import Wanted
from consulops.silences.models import Origin, Silence


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was done, or would be, and what could not be carried over as it was."""

    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def apply(actor: Actor, cluster: Cluster, plan: Plan, *, dry_run: bool) -> Imported:
    """Makes and changes what the plan names, and removes what an earlier import made besides.

    A dry run does everything and takes it back, so that it promises exactly what would happen.
    """
    task = _Task(actor, cluster, plan, list(plan.findings))
    try:
        with transaction.atomic():
            changes = list(task.run())
            if any(change.done != "unchanged" for change in changes):
                counts = {"changes": len(changes), "findings": len(task.findings)}
                record(actor, "consul-alerts.imported", cluster, counts)
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return Imported(changes, task.findings)


@dataclass(slots=True)
class _Task:
    actor: Actor
    cluster: Cluster
    plan: Plan
    findings: list[Finding]

    def run(self) -> Iterator[Change]:
        """Quiet first, then whom to tell, then the routes: nobody is told by half an import.

        What a route finds while the others are still the old ones waits for its group, as all
        imported routes do, and is decided anew when the last route is there.
        """
        yield from self._silences()
        notifiers = {}
        for change, notifier in self._notifiers():
            notifiers[notifier.name] = notifier
            yield change
        yield from self._routes(notifiers)
        yield from self._handlers()
        yield from self._forget_notifiers(set(notifiers))

    @property
    def _first(self) -> str:
        return names.first(self.cluster.name)

    def _silences(self) -> Iterator[Change]:
        now = timezone.now()
        here = patterns.literal(self.cluster.name)
        rows = Silence.objects.active(now).without_end()
        rows = rows.filter(origin=Origin.CONSUL_ALERTS, match__cluster=here)
        present = {_text(row.match): row for row in rows}
        wanted = {_text(one.match): one for one in self.plan.silences}
        for text, row in present.items():
            if text not in wanted:
                silences.expire(self.actor, row)
                yield Change("removed", "silence", row.comment)
        for text, one in wanted.items():
            if text in present:
                yield Change("unchanged", "silence", one.comment)
                continue
            asked = Wanted(one.match, one.comment[:2000], now, None, [], everything=True)
            silences.create(self.actor, asked, Origin.CONSUL_ALERTS)
            yield Change("created", "silence", one.comment)

    def _notifiers(self) -> Iterator[tuple[Change, Notifier]]:
        for one in self.plan.notifiers:
            found = Notifier.objects.filter(name=one.name).first()
            notifier = found or Notifier(name=one.name)
            notifier.kind, notifier.enabled = one.kind, one.enabled
            notifier.config, notifier.secrets = dict(one.config), dict(one.secrets)
            notifier.body_template = one.body_template
            changed = save_notifier(self.actor, notifier)
            settings = ["settings"] if changed else []
            yield Change.of(found is None, "notifier", one.name, settings), notifier

    def _routes(self, notifiers: Mapping[str, Notifier]) -> Iterator[Change]:
        mine = {row.name: row for row in Route.objects.filter(name__startswith=self._first)}
        for name in mine.keys() - self.plan.routes.keys():
            delete_route(self.actor, mine.pop(name))
            yield Change("removed", "route", name)
        first = min((row.position for row in mine.values()), default=None)
        others = Route.objects.exclude(name__startswith=self._first)
        before = [row for row in others if first is None or row.position < first]
        values = self._values(len(before))
        self._put(before, 1)
        for name, one in self.plan.routes.items():
            told = [notifiers[notifier] for notifier in one.notifiers]
            found = mine.get(name)
            if found is not None:
                found.refresh_from_db()
            _, changed = save_route(self.actor, name, values[name], told, found)
            yield Change.of(found is None, "route", name, changed)
        after = [row for row in others if row not in before]
        self._put(after, len(before) + len(values) + 1)
        self._note_earlier(before)

    def _values(self, before: int) -> dict[str, dict[str, Any]]:
        return {
            name: {
                "match": dict(one.match),
                "wait_s": one.wait_s,
                "remind_every_s": one.remind_every_s,
                "notify_resolved": one.notify_resolved,
                "enabled": self.plan.routes_enabled,
                "continues": False,
                "group_by": ["cluster"],
                "group_wait_s": GROUP_WAIT_S,
                "position": position,
            }
            for position, (name, one) in enumerate(self.plan.routes.items(), start=before + 1)
        }

    def _put(self, rows: list[Route], position: int) -> None:
        for place, row in enumerate(rows, start=position):
            if row.position != place:
                told = list(row.notifiers.all())
                save_route(self.actor, row.name, {"position": place}, told, row)

    def _note_earlier(self, before: list[Route]) -> None:
        taking = [row.name for row in before if row.enabled and not row.continues]
        if taking and self.plan.routes:
            text = (
                f"These routes come before the imported ones and keep what they take: "
                f"{', '.join(taking)}. Move them down, or let them continue."
            )
            self.findings.append(findings.changed("routes", text))

    def _handlers(self) -> Iterator[Change]:
        wanted = set()
        for one in self.plan.handlers:
            given = {"program": one.program}
            try:
                config, secrets = cleaned(KINDS[HandlerKind.EXECUTABLE.value], given)
            except ConfigError as error:
                said = " ".join(text for texts in error.errors.values() for text in texts)
                text = f"{said} Put the program there and import again."
                self.findings.append(findings.lost(one.key, text))
                continue
            wanted.add(one.name)
            found = EventHandler.objects.filter(name=one.name).first()
            handler = found or EventHandler(name=one.name)
            handler.kind, handler.enabled = HandlerKind.EXECUTABLE, one.enabled
            handler.config, handler.secrets = config, secrets
            handler.event_pattern, handler.cluster_pattern = ".*", one.cluster_pattern
            changed = save_handler(self.actor, handler)
            settings = ["settings"] if changed else []
            yield Change.of(found is None, "event handler", one.name, settings)
        stale = EventHandler.objects.filter(name__startswith=self._first).exclude(name__in=wanted)
        for handler in stale:
            name = handler.name
            delete_handler(self.actor, handler)
            yield Change("removed", "event handler", name)

    def _forget_notifiers(self, wanted: set[str]) -> Iterator[Change]:
        stale = Notifier.objects.filter(name__startswith=self._first).exclude(name__in=wanted)
        for notifier in stale:
            name = notifier.name
            try:
                delete_notifier(self.actor, notifier)
                yield Change("removed", "notifier", name)
            except InUse as error:
                text = f"It is no longer in consul-alerts, but stays. {error}"
                self.findings.append(findings.note(name, text))


def _text(match: Mapping[str, Any]) -> str:
    return json.dumps(match, sort_keys=True)

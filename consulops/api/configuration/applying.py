"""Makes the database agree with a document, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from consulops.accounts.audit import Actor
from consulops.alerts.models import Route
from consulops.alerts.services import delete_route, save_route
from consulops.api.configuration.document import ClusterItem, Document, NotifierItem, RouteItem
from consulops.api.configuration.problems import BadFile, problem
from consulops.clusters.models import Cluster
from consulops.clusters.services import delete_cluster, save_cluster
from consulops.core.crypto import WrongKey
from consulops.health.matching import BadMatch, compile_match
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.models import Notifier
from consulops.notifiers.services import InUse, delete_notifier, save_notifier


@dataclass(frozen=True, slots=True)
class Change:
    """What was done about one object: created, changed, unchanged or removed."""

    done: str
    kind: str
    name: str
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = f" ({', '.join(self.settings)})" if self.settings else ""
        return f"{self.done} {self.kind} {self.name}{names}"


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


def apply(actor: Actor, document: Document, *, prune: bool, dry_run: bool) -> list[Change]:
    """Creates and changes what the document names; with `prune` removes the rest of its sections.

    A dry run does everything and takes it back, so that it promises exactly what would happen.
    Raises BadFile with all problems, and then nothing has changed.
    """
    task = _Task(actor, document, prune)
    try:
        with transaction.atomic():
            changes = list(task.run())
            if task.problems:
                raise BadFile(task.problems)
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return changes


class _Task:
    def __init__(self, actor: Actor, document: Document, prune: bool) -> None:
        self.actor, self.document, self.prune = actor, document, prune
        self.problems = list(document.problems)

    def run(self) -> Iterator[Change]:
        for position, cluster in (self.document.clusters or {}).items():
            yield from self._cluster(("clusters", position), cluster)
        for position, notifier in (self.document.notifiers or {}).items():
            yield from self._notifier(("notifiers", position), notifier)
        for position, route in (self.document.routes or {}).items():
            yield from self._route(position, route)
        if self.document.routes is not None:
            # Routes first: a notifier that is told by one cannot go.
            yield from self._other_routes()
        if self.prune:
            yield from self._prune()

    def _wrong(self, place: Iterable[str | int], text: str) -> None:
        self.problems.append(problem(place, text))

    def _invalid(self, place: tuple[str | int, ...], error: ValidationError) -> None:
        said = set()
        for field, messages in error.message_dict.items():
            where = place if field == NON_FIELD_ERRORS else (*place, field)
            for message in messages:
                # The same may be found wrong in a field and in the whole.
                if message not in said:
                    self._wrong(where, message)
                said.add(message)

    def _cluster(self, place: tuple[str, int], item: ClusterItem) -> Iterator[Change]:
        # None is a secret that is left out.
        values = {k: v for k, v in item.model_dump(exclude={"name"}).items() if v is not None}
        try:
            saved = save_cluster(self.actor, item.name, values)
        except ValidationError as error:
            self._invalid(place, error)
        else:
            yield _change(saved.created, "cluster", item.name, saved.changed)

    def _notifier(self, place: tuple[str, int], item: NotifierItem) -> Iterator[Change]:
        found = Notifier.objects.filter(name=item.name).first()
        notifier = found or Notifier(name=item.name)
        try:
            kept = notifier.secrets if found and found.kind == item.kind else None
            notifier.config, notifier.secrets = from_config(item.kind, item.config, kept)
        except ConfigError as error:
            for field, messages in error.errors.items():
                where = (field,) if field == "kind" else ("config", field)
                for message in messages:
                    self._wrong((*place, *where), message)
            return
        except WrongKey as error:
            self._wrong((*place, "config"), str(error))
            return
        for field in ("kind", "enabled", "timeout_s", "concurrency"):
            setattr(notifier, field, getattr(item, field))
        changed = save_notifier(self.actor, notifier)
        yield _change(found is None, "notifier", item.name, ["settings"] if changed else [])

    def _route(self, position: int, item: RouteItem) -> Iterator[Change]:
        place = ("routes", position)
        try:
            compile_match(item.match)
        except BadMatch as error:
            self._wrong((*place, "match", error.path), error.text)
        notifiers = list(self._told(place, item))
        # A route to a notifier that is itself wrong cannot be made.
        if self.problems:
            return
        values = {**item.model_dump(exclude={"name", "notifiers"}), "position": position + 1}
        found = Route.objects.filter(name=item.name).first()
        _, changed = save_route(self.actor, item.name, values, notifiers, found)
        yield _change(found is None, "route", item.name, changed)

    def _told(self, place: tuple[str, int], item: RouteItem) -> Iterator[Notifier]:
        in_file = self.document.names["notifiers"]
        stay = not self.prune or self.document.notifiers is None
        for position, name in enumerate(item.notifiers):
            where = (*place, "notifiers", position)
            found = Notifier.objects.filter(name=name).first()
            if name in item.notifiers[:position]:
                self._wrong(where, f"{name!r} stands twice")
            elif name not in in_file and not (found and stay):
                self._wrong(where, f"there is no notifier {name!r}")
            elif found:
                yield found

    def _other_routes(self) -> Iterator[Change]:
        """Removes the routes that the file does not have, or puts them after those of the file."""
        if self.problems:
            return
        names = self.document.names["routes"]
        others = Route.objects.exclude(name__in=names)
        for position, route in enumerate(others, start=len(names) + 1):
            if self.prune:
                delete_route(self.actor, route)
                yield Change("removed", "route", route.name)
            elif route.position != position:
                told = list(route.notifiers.all())
                save_route(self.actor, route.name, {"position": position}, told, route)

    def _prune(self) -> Iterator[Change]:
        if self.problems:
            return
        if self.document.notifiers is not None:
            names = self.document.names["notifiers"]
            for notifier in Notifier.objects.exclude(name__in=names):
                name = notifier.name
                try:
                    delete_notifier(self.actor, notifier)
                    yield Change("removed", "notifier", name)
                except InUse as error:
                    self._wrong(("notifiers",), f"{name!r} cannot be removed: {error}")
        if self.document.clusters is not None:
            names = self.document.names["clusters"]
            for cluster in Cluster.objects.exclude(name__in=names):
                delete_cluster(self.actor, cluster.pk)
                yield Change("removed", "cluster", cluster.name)


def _change(created: bool, kind: str, name: str, changed: list[str]) -> Change:
    if created:
        return Change("created", kind, name)
    return Change("changed" if changed else "unchanged", kind, name, tuple(changed))

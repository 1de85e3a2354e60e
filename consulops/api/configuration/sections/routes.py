"""Routes in the file, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field

from consulops.alerts.models import Route
from consulops.alerts.services import delete_route, save_route
from consulops.api.configuration.items import NamedItem, Seconds
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.core import windows
from consulops.health.matching import METAS, PATTERNS, BadMatch, compile_match
from consulops.notifiers.models import Notifier

_TOLD = ("notifiers", "escalate_to")


class RouteItem(NamedItem):
    """A route; its matchers are checked where they are compiled."""

    enabled: bool = True
    match: dict[str, Any] = {}
    wait_s: Seconds = 0
    remind_every_s: Seconds = 0
    group_by: list[Literal["cluster", "service", "node", "check"]] = []
    group_wait_s: Seconds = 0
    group_interval_s: Seconds = 0
    active_hours: list[dict[str, Any]] = []
    escalate_after_s: Seconds = 0
    escalate_to: list[str] = []
    notify_resolved: bool = True
    continues: bool = Field(False, alias="continue")
    notifiers: list[str] = []


class Routes(Section):
    name = "routes"
    form = RouteItem

    def apply(self, task: Task, place: Place, item: RouteItem) -> Iterator[Change]:
        try:
            compile_match(item.match)
        except BadMatch as error:
            task.wrong((*place, "match", error.path), error.text)
        try:
            windows.parse(item.active_hours)
        except windows.BadWindow as error:
            task.wrong((*place, f"active_hours{error.path}"), error.text)
        told = {name: list(_notifiers(task, (*place, name), getattr(item, name))) for name in _TOLD}
        # A route to a notifier that is itself wrong cannot be made.
        if task.problems:
            return
        values = item.model_dump(exclude={"name", *_TOLD}) | {"position": int(place[1]) + 1}
        found = Route.objects.filter(name=item.name).first()
        _, changed = save_route(
            task.actor, item.name, values, told["notifiers"], found, told["escalate_to"]
        )
        yield Change.of(found is None, "route", item.name, changed)

    def finish(self, task: Task) -> Iterator[Change]:
        """Removes the routes that the file does not have, or puts them after those of the file."""
        names = task.document.names[self.name]
        others = Route.objects.exclude(name__in=names)
        for position, route in enumerate(others, start=len(names) + 1):
            if task.prune:
                delete_route(task.actor, route)
                yield Change("removed", "route", route.name)
            elif route.position != position:
                told = list(route.notifiers.all())
                save_route(task.actor, route.name, {"position": position}, told, route)

    def export(self, secrets: bool) -> Iterator[RouteItem]:
        names = RouteItem.model_fields.keys() - {*_TOLD, "continues", "match"}
        for route in Route.objects.prefetch_related(*_TOLD):
            values: dict[str, Any] = {name: getattr(route, name) for name in names}
            # PostgreSQL does not keep their order.
            matchers = (name for name in (*PATTERNS, *METAS, "status") if name in route.match)
            values["match"] = {name: route.match[name] for name in matchers}
            for name in _TOLD:
                values[name] = sorted(one.name for one in getattr(route, name).all())
            yield RouteItem.model_validate({**values, "continue": route.continues})


def _notifiers(task: Task, place: Place, names: Sequence[str]) -> Iterator[Notifier]:
    in_file = task.document.names["notifiers"]
    for position, name in enumerate(names):
        where = (*place, position)
        found = Notifier.objects.filter(name=name).first()
        if name in names[:position]:
            task.wrong(where, f"{name!r} stands twice")
        elif name not in in_file and not (found and task.leaves("notifiers")):
            task.wrong(where, f"there is no notifier {name!r}")
        elif found:
            yield found

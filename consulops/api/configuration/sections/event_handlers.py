"""Event handlers in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from consulops.api.configuration.items import NamedItem
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.core.crypto import WrongKey
from consulops.events.kinds import KINDS
from consulops.events.matching import FIELDS, compiled
from consulops.events.models import EventHandler, HandlerKind
from consulops.events.services import delete_handler, save_handler
from consulops.health.matching import BadMatch
from consulops.notifiers.config import ConfigError, cleaned


class EventHandlerItem(NamedItem):
    """A handler; `event` and `cluster` are regular expressions, `config` depends on the kind."""

    event: str = ".*"
    cluster: str = ".*"
    kind: Literal[*HandlerKind.values]  # type: ignore[valid-type]
    config: dict[str, Any] = {}
    timeout_s: int = Field(30, ge=1, le=3600)
    enabled: bool = True


class EventHandlers(Section):
    name = "event_handlers"
    form = EventHandlerItem

    def apply(self, task: Task, place: Place, item: EventHandlerItem) -> Iterator[Change]:
        found = EventHandler.objects.filter(name=item.name).first()
        handler = found or EventHandler(name=item.name)
        kept_kind = handler.kind
        handler.event_pattern, handler.cluster_pattern = item.event, item.cluster
        for field in ("kind", "timeout_s", "enabled"):
            setattr(handler, field, getattr(item, field))
        try:
            compiled(handler)
        except BadMatch as error:
            where = "event" if FIELDS[error.path] == "event_pattern" else "cluster"
            task.wrong((*place, where), error.text)
            return
        try:
            kept = handler.secrets if kept_kind == item.kind else None
            handler.config, handler.secrets = cleaned(KINDS[item.kind], item.config, kept)
        except ConfigError as config_error:
            for name, messages in config_error.errors.items():
                for message in messages:
                    task.wrong((*place, "config", name), message)
            return
        except WrongKey as key_error:
            task.wrong((*place, "config"), str(key_error))
            return
        changed = save_handler(task.actor, handler)
        yield Change.of(found is None, "event handler", item.name, ["settings"] if changed else [])

    def finish(self, task: Task) -> Iterator[Change]:
        if not task.prune:
            return
        for handler in EventHandler.objects.exclude(name__in=task.document.names[self.name]):
            delete_handler(task.actor, handler)
            yield Change("removed", "event handler", handler.name)

    def export(self, secrets: bool) -> Iterator[EventHandlerItem]:
        for one in EventHandler.objects.all():
            config: dict[str, Any] = {**one.config, **(one.secrets if secrets else {})}
            yield EventHandlerItem(
                name=one.name,
                event=one.event_pattern,
                cluster=one.cluster_pattern,
                kind=one.kind,
                config={name: value for name, value in config.items() if value not in (None, "")},
                timeout_s=one.timeout_s,
                enabled=one.enabled,
            )

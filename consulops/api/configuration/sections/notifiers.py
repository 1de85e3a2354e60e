"""Notifiers in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from consulops.api.configuration.items import NamedItem
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.core.crypto import WrongKey
from consulops.notifiers import samples
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.models import Notifier
from consulops.notifiers.registry import kinds
from consulops.notifiers.services import InUse, delete_notifier, save_notifier
from consulops.notifiers.wording import Wording


class NotifierItem(NamedItem):
    """A notifier; what `config` holds depends on the kind."""

    kind: str
    config: dict[str, Any] = {}
    subject_template: str = ""
    body_template: str = ""
    enabled: bool = True
    timeout_s: int = Field(10, ge=1, le=120)
    concurrency: int = Field(8, ge=1, le=64)


class Notifiers(Section):
    name = "notifiers"
    form = NotifierItem

    def apply(self, task: Task, place: Place, item: NotifierItem) -> Iterator[Change]:
        found = Notifier.objects.filter(name=item.name).first()
        notifier = found or Notifier(name=item.name)
        try:
            kept = notifier.secrets if found and found.kind == item.kind else None
            notifier.config, notifier.secrets = from_config(item.kind, item.config, kept)
        except ConfigError as error:
            for field, messages in error.errors.items():
                where = (field,) if field == "kind" else ("config", field)
                for message in messages:
                    task.wrong((*place, *where), message)
            return
        except WrongKey as error:
            task.wrong((*place, "config"), str(error))
            return
        if item.enabled and kinds()[item.kind].ended:
            task.wrong((*place, "enabled"), kinds()[item.kind].ended)
            return
        wording = Wording(item.subject_template, item.body_template)
        wrong = samples.problems(kinds()[item.kind], notifier.config, wording)
        for field, messages in wrong.items():
            for message in messages:
                task.wrong((*place, field), message)
        if wrong:
            return
        for field in ("kind", "enabled", "timeout_s", "concurrency", *samples.FIELDS.values()):
            setattr(notifier, field, getattr(item, field))
        changed = save_notifier(task.actor, notifier)
        yield Change.of(found is None, "notifier", item.name, ["settings"] if changed else [])

    def finish(self, task: Task) -> Iterator[Change]:
        if not task.prune:
            return
        for notifier in Notifier.objects.exclude(name__in=task.document.names[self.name]):
            name = notifier.name
            try:
                delete_notifier(task.actor, notifier)
                yield Change("removed", "notifier", name)
            except InUse as error:
                task.wrong((self.name,), f"{name!r} cannot be removed: {error}")

    def export(self, secrets: bool) -> Iterator[NotifierItem]:
        for one in Notifier.objects.all():
            config: dict[str, Any] = {**one.config, **(one.secrets if secrets else {})}
            yield NotifierItem(
                name=one.name,
                kind=one.kind,
                config={name: value for name, value in config.items() if value not in (None, "")},
                subject_template=one.subject_template,
                body_template=one.body_template,
                enabled=one.enabled,
                timeout_s=one.timeout_s,
                concurrency=one.concurrency,
            )

"""Silences in the file. They have no names: one is the same while it means and says the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from django.utils import timezone
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from consulops.api.configuration.items import Item
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.core import windows
from consulops.health.matching import METAS, PATTERNS, compile_match
from consulops.silences import guards, services
from consulops.silences.models import Origin, Silence

_NAME_SHOWN = 60


def _moment(value: object) -> object:
    """A time with its zone, in quotes or as YAML has read it."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PydanticCustomError("moment", "must be a time with a zone: 2026-12-24T18:00:00Z")
    return value


Moment = Annotated[datetime, BeforeValidator(_moment)]


class SilenceItem(Item):
    """A silence; without `starts_at` it starts when it is applied first."""

    match: dict[str, Any]
    comment: str
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    windows: list[dict[str, Any]] = []
    everything: bool = False


class Silences(Section):
    name = "silences"
    form = SilenceItem

    def apply(self, task: Task, place: Place, item: SilenceItem) -> Iterator[Change]:
        rows = task.document.items[self.name] or {}
        twin = next((n for n, one in rows.items() if one is not item and _same(one, item)), None)
        if twin is not None and twin < int(place[1]):
            task.wrong(place, f"this is {self.name}[{twin}] again")
            return
        now = timezone.now()
        found = _find(item, now)
        if found and item.ends_at and item.ends_at <= now:
            yield Change.of(False, "silence", _name(item.comment), [])
            return
        wanted = guards.Wanted(
            match=item.match,
            comment=item.comment,
            starts_at=found.starts_at if found else item.starts_at or now,
            ends_at=item.ends_at,
            windows=item.windows,
            everything=item.everything,
        )
        try:
            if found:
                changed = services.change(task.actor, found, wanted)
            else:
                services.create(task.actor, wanted, Origin.FILE)
        except guards.BadSilence as error:
            for path, text in error.problems:
                task.wrong((*place, path), text)
            return
        yield Change.of(found is None, "silence", _name(item.comment), changed if found else [])

    def finish(self, task: Task) -> Iterator[Change]:
        """Ends what an earlier file has made and this one lacks; the others are people's."""
        if not task.prune:
            return
        items = (task.document.items[self.name] or {}).values()
        for silence in Silence.objects.filter(origin=Origin.FILE).living(timezone.now()):
            if not any(_same(item, _item(silence)) for item in items):
                services.expire(task.actor, silence)
                yield Change("removed", "silence", _name(silence.comment))

    def export(self, secrets: bool) -> Iterator[SilenceItem]:
        for silence in Silence.objects.living(timezone.now()).order_by("pk"):
            yield _item(silence)


def _find(item: SilenceItem, now: datetime) -> Silence | None:
    """The silence that the item is: one that is over only if the item says which by its times."""
    rows = Silence.objects.order_by("-pk")
    if item.starts_at is None and (item.ends_at is None or item.ends_at > now):
        rows = rows.living(now)
    same = [row for row in rows.filter(comment=item.comment.strip()) if _same(item, _item(row))]
    # The file's own before one that a person has made just so.
    return next((row for row in same if row.origin == Origin.FILE), same[0] if same else None)


def _same(one: SilenceItem, other: SilenceItem) -> bool:
    """Whether two items mean one silence; a start counts when both have one."""
    starts = {start for start in (one.starts_at, other.starts_at) if start is not None}
    return (
        len(starts) < 2
        and one.match == other.match
        and one.comment.strip() == other.comment.strip()
        and _stored(one.windows) == _stored(other.windows)
    )


def _stored(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The windows as they are kept; wrong ones as they are."""
    try:
        return windows.stored(windows.parse(given))
    except windows.BadWindow:
        return given


def _item(silence: Silence) -> SilenceItem:
    # PostgreSQL does not keep their order.
    names = (name for name in (*PATTERNS, *METAS, "status") if name in silence.match)
    return SilenceItem(
        match={name: silence.match[name] for name in names},
        comment=silence.comment,
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        windows=silence.windows,
        everything=guards.means_everything(compile_match(silence.match)),
    )


def _name(comment: str) -> str:
    text = " ".join(comment.split())
    return text if len(text) <= _NAME_SHOWN else f"{text[: _NAME_SHOWN - 1]}…"

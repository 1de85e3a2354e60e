"""The watchdog's settings, in the file: one item."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ValidationError
from pydantic import Field

from consulops.api.configuration.items import Item
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.watchdog.models import Watchdog
from consulops.watchdog.services import SECRETS, save_settings

_MOST = 2_147_483_647


class WatchdogItem(Item):
    """When our own troubles are alerts, and whom we ping; an address left out stays as it is."""

    unreachable_after_s: int = Field(30, ge=15, le=_MOST)
    delivery_after_s: int = Field(60, ge=10, le=_MOST)
    heartbeat_url: str | None = None
    heartbeat_every_s: int = Field(60, ge=5, le=_MOST)
    heartbeat_tells_failure: bool = False


class WatchdogSection(Section):
    name = "watchdog"
    form = WatchdogItem
    is_single = True

    def apply(self, task: Task, place: Place, item: WatchdogItem) -> Iterator[Change]:
        values = {k: v for k, v in item.model_dump().items() if v is not None}
        try:
            changed = save_settings(task.actor, values)
        except ValidationError as error:
            task.invalid(place, error)
        else:
            yield Change.of(False, "watchdog", "", changed)

    def export(self, secrets: bool) -> Iterator[WatchdogItem]:
        watchdog = Watchdog.load()
        hidden = set() if secrets and watchdog.heartbeat_set_at else SECRETS
        names = WatchdogItem.model_fields.keys() - hidden
        yield WatchdogItem(**{name: getattr(watchdog, name) for name in names})

"""What is noise, in the file: one item."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from consulops.alerts.models import Noise
from consulops.alerts.services import save_noise
from consulops.api.configuration.items import Item, Seconds
from consulops.api.configuration.section import Change, Place, Section, Task


class NoiseItem(Item):
    """What keeps many failures from becoming many messages."""

    inhibit_by_node: bool = True
    inhibit_by_cluster: bool = True
    flap_changes: int = Field(6, ge=0, le=1000)
    flap_window_s: Seconds = 600
    flap_rest_s: Seconds = 300


class NoiseSection(Section):
    name = "noise"
    form = NoiseItem
    is_single = True

    def apply(self, task: Task, place: Place, item: NoiseItem) -> Iterator[Change]:
        yield Change.of(False, "noise", "", save_noise(task.actor, item.model_dump()))

    def export(self, secrets: bool) -> Iterator[NoiseItem]:
        noise = Noise.objects.first() or Noise()
        names = NoiseItem.model_fields
        yield NoiseItem(**{name: getattr(noise, name) for name in names})

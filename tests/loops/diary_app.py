"""In a worker process: replaces the product's loops by ones that write a diary, and hurries."""

from __future__ import annotations

from django.apps import AppConfig


class DiaryApp(AppConfig):
    name = "tests.loops"
    label = "diary"

    def ready(self) -> None:
        from consulops.loops import leases, registry
        from tests.loops.diary import Scribe

        # Nobody wants to wait for eight seconds in each test.
        leases.LIFE_S = LIFE_S
        registry._loops.clear()
        registry.register(Scribe())


LIFE_S = 3.0

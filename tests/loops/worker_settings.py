"""Settings of the real worker processes that these tests start: their loops write a diary."""

from __future__ import annotations

from consulops.settings import *  # noqa: F403 - Django's way to build on other settings
from consulops.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.loops.diary_app.DiaryApp"]

"""The product's settings for the real web process of the tests, with one page more."""

from __future__ import annotations

from consulops.settings import *  # noqa: F403 - Django's way to build on other settings

ROOT_URLCONF = "tests.live.urls"

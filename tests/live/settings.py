"""The product's settings for the real web process of the tests, with pages of its own."""

from __future__ import annotations

from consulops.settings import *  # noqa: F403 - Django's way to build on other settings

ROOT_URLCONF = "tests.live.urls"
# Served from the source tree, without `collectstatic`.
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

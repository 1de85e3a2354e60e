"""All addresses of the product, by app."""

from __future__ import annotations

from django.urls import include, path

from consulops.clusters.overview_views import overview

urlpatterns = [
    path("", overview, name="overview"),
    path("", include("consulops.accounts.urls")),
    path("", include("consulops.clusters.urls")),
    path("", include("consulops.live.urls")),
    path("", include("consulops.loops.urls")),
    path("", include("consulops.health.urls")),
    path("", include("consulops.notifiers.urls")),
    path("", include("consulops.silences.urls")),
    path("", include("consulops.alerts.urls")),
    path("", include("consulops.rules.urls")),
    path("", include("consulops.watchdog.urls")),
    path("", include("consulops.events.urls")),
    path("", include("consulops.api.urls")),
]

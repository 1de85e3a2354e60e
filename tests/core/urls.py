"""The product's addresses as stubs, and a page that shows every part of the look."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path

from consulops.live.urls import urlpatterns as live_patterns
from tests.core import style


def stub(request: HttpRequest, **_: object) -> HttpResponse:
    """Answers for a page that this app does not own."""
    return HttpResponse("stub")


def app(name: str, *pages: str) -> URLResolver:
    """An app's addresses, by the names that the frame links to."""
    return path(f"{name}/", include(([path(page, stub, name=page) for page in pages], name)))


urlpatterns: list[URLPattern | URLResolver] = [
    path("", stub, name="overview"),
    app("health", "services", "nodes", "checks"),
    app("alerts", "list", "routes"),
    app("events", "list"),
    app("silences", "list"),
    path(
        "clusters/",
        include(
            ([path("", stub, name="list"), path("<int:pk>/", stub, name="detail")], "clusters")
        ),
    ),
    app("notifiers", "list"),
    app("loops", "system"),
    app("accounts", "users", "audit", "password", "login", "logout"),
    path("", include((live_patterns, "live"))),
    path("style/", style.show),
    path("style/alone/", style.alone),
]

"""The live addresses, and a fragment that is fresh by one topic."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from consulops.live.etag import fresh_by
from tests.core.urls import urlpatterns as shown


@fresh_by("checks")
def fragment(request: HttpRequest) -> HttpResponse:
    """Stands for any list of checks."""
    return HttpResponse("rows")


urlpatterns = [*shown, path("fragment/", fragment)]

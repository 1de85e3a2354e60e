"""The live addresses with stubs of the others, and pages that are fresh by one topic."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from consulops.live.etag import fresh_by
from tests.core.urls import urlpatterns as shown
from tests.live.pages import ticking


@fresh_by("checks")
def fragment(request: HttpRequest) -> HttpResponse:
    """Stands for any list of checks."""
    return HttpResponse("rows")


urlpatterns = [*shown, path("fragment/", fragment), path("ticking/", ticking)]

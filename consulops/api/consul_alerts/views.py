"""The addresses of consul-alerts' API, with its parameters and codes."""

from __future__ import annotations

import json
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from consulops.api.consul_alerts import health
from consulops.api.consul_alerts.access import as_allowed, plain
from consulops.api.consul_alerts.asked import Asked, NoSuchCluster
from consulops.core import postgres

# Consul itself takes no larger events, and of checks the content is not used.
MOST_BYTES = 16 << 20
# Its clients look for the first two words.
VERSION = "Consul Alerts API of ConsulOps"


@as_allowed
def info(request: HttpRequest) -> HttpResponse:
    """Says that somebody is here, as consul-alerts says it: 201 and a header."""
    answer = HttpResponse(status=HTTPStatus.CREATED, headers={"Version": VERSION})
    del answer["Content-Type"]
    return answer


@as_allowed
def check(request: HttpRequest) -> HttpResponse:
    """One check by its exact names: 200, 503, or 404 when there is no such check."""
    try:
        asked = Asked.exactly(request.GET)
    except NoSuchCluster as error:
        return plain(f"{error}\n", HTTPStatus.NOT_FOUND)
    found = health.stated(asked.checks(), timezone.now())
    if not found:
        return plain("status: unknown\n", HTTPStatus.NOT_FOUND)
    worst = max(found, key=lambda one: one.code)
    return plain(worst.text(), worst.code)


@as_allowed
def wildcard(request: HttpRequest) -> HttpResponse:
    """All checks that the parameters mean; the code is that of the worst."""
    now = timezone.now()
    try:
        asked = Asked.widely(request.GET)
    except NoSuchCluster as error:
        return JsonResponse({"error": str(error)}, status=HTTPStatus.NOT_FOUND)
    found = [one for one in health.stated(asked.checks(), now) if asked.means(one.status)]
    if not request.GET.get("ignoreBlacklist"):
        found = asked.without_blacklisted(found, now)
    code = HTTPStatus.OK if request.GET.get("alwaysOk") else health.worst_code(found)
    return JsonResponse([one.to_dict() for one in found], safe=False, status=code)


@as_allowed
def process(request: HttpRequest) -> HttpResponse:
    """What a handler of `consul watch` sends: a sign that Consul is there, never a source of facts.

    It wakes watchers that wait before they try again after an error; the others wait for Consul.
    """
    try:
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        body = b"" if size > MOST_BYTES else request.read(MOST_BYTES + 1)
    except ValueError:
        size, body = 0, b""
    if size > MOST_BYTES or len(body) > MOST_BYTES:
        text = f"The body is larger than {MOST_BYTES >> 20} MB.\n"
        return plain(text, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        is_array = isinstance(json.loads(body), list)
    except (ValueError, RecursionError):
        is_array = False
    if not is_array:
        return plain("The body is not a JSON array.\n", HTTPStatus.BAD_REQUEST)
    postgres.notify(postgres.LOOPS)
    return plain("")

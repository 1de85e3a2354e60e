"""Who may ask the addresses that consul-alerts has open for everybody."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

SETTING = "CONSULOPS_CONSUL_ALERTS_API"
_REFUSED = (
    f"Only callers on the machine of ConsulOps are answered; {SETTING}=on answers everybody.\n"
)

View = Callable[[HttpRequest], HttpResponse]


def as_allowed(view: View) -> View:
    """Answers without signing in, as far as the setting allows: nobody, this machine, everybody."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        allowed = settings.ENV.text(SETTING)
        if allowed == "off":
            text = f"The API of consul-alerts is switched off; {SETTING} switches it on.\n"
            return plain(text, HTTPStatus.NOT_FOUND)
        if allowed != "on" and not _is_local(request.META.get("REMOTE_ADDR", "")):
            return plain(_REFUSED, HTTPStatus.FORBIDDEN)
        return view(request)

    # Its clients have no session, so there is nothing that a foreign page could make use of.
    return csrf_exempt(login_not_required(never_cache(guarded)))


def plain(text: str, status: int = HTTPStatus.OK) -> HttpResponse:
    """Text for machines and people."""
    return HttpResponse(text, content_type="text/plain; charset=utf-8", status=status)


def _is_local(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        # A Unix socket has none, and only this machine reaches one.
        return not address
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback

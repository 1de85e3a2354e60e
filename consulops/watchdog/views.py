"""The watchdog's page: what it sees, when that is an alert, and the dead man's switch."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role, User
from consulops.core import export
from consulops.core.crypto import WrongKey
from consulops.health.models import Check
from consulops.live.etag import fresh_by
from consulops.watchdog import facts, heartbeat, services
from consulops.watchdog.forms import WatchdogForm
from consulops.watchdog.models import Watchdog


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest) -> HttpResponseBase:
    """What is watched, and the settings, which admins may change."""
    return _change(request) if request.method == "POST" else _show(request)


@fresh_by("system", "checks", "clusters", "notifiers")
def _show(request: HttpRequest) -> HttpResponseBase:
    checks = _worst_first()
    if export.wanted(request):
        return export.export(request, "watchdog", map(_facts, checks))
    watchdog = Watchdog.load()
    is_admin = isinstance(request.user, User) and request.user.is_admin
    form = WatchdogForm(instance=watchdog) if is_admin else None
    return _page(request, watchdog, checks, form)


@requires(Role.ADMIN)
def _change(request: HttpRequest) -> HttpResponse:
    form = WatchdogForm(request.POST, instance=Watchdog.load())
    if form.is_valid():
        changed = services.save_settings(Actor.of(request), form.values())
        messages.success(request, "Saved." if changed else "Everything is as it was.")
        return redirect("watchdog:settings")
    return _page(request, Watchdog.load(), _worst_first(), form)


def _page(
    request: HttpRequest, watchdog: Watchdog, checks: list[Check], form: WatchdogForm | None
) -> HttpResponse:
    context = {"watchdog": watchdog, "checks": checks, "form": form}
    return render(request, "watchdog/settings.html", context)


@requires(Role.ADMIN)
@require_POST
def ping(request: HttpRequest) -> HttpResponse:
    """Pings the saved address now, and shows the real answer."""
    try:
        pinged = services.ping_now(Actor.of(request))
    except WrongKey as error:
        pinged = heartbeat.Pinged(False, str(error))
    if pinged is None:
        messages.warning(request, "No address is saved: there is nobody to ping.")
    elif pinged.ok:
        messages.success(request, f"The ping was taken: {pinged.answer}")
    else:
        messages.warning(request, f"The ping was not taken: {pinged.answer}")
    return redirect("watchdog:settings")


def _worst_first() -> list[Check]:
    found = [check for ours in facts.our_checks().values() for check in ours.values()]
    return sorted(found, key=lambda one: (one.rank, one.cluster.name, one.name, one.pk))


def _facts(check: Check) -> dict[str, Any]:
    return {
        "about": "ConsulOps" if check.cluster.internal else check.cluster.name,
        "check": check.check_id,
        "name": check.name,
        "status": check.status,
        "since": check.since,
        "output": check.output,
    }

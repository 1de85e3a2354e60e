"""How pages answer a button: back to where it was pressed, or a note on the page that stays."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import trigger_client_event

from consulops.live.context import is_fragment


def done(request: HttpRequest, text: str, otherwise: str, *, ok: bool = True) -> HttpResponse:
    """Says what happened, on the page that the form names in `next`, else on `otherwise`.

    For htmx: the note alone, and the live parts of the page are asked to fetch themselves again.
    """
    messages.add_message(request, messages.SUCCESS if ok else messages.WARNING, text)
    if is_fragment(request):
        return trigger_client_event(render(request, "alerts/_note.html"), "live:resync")
    wanted = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(wanted if is_safe else otherwise)

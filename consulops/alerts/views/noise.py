"""What keeps many failures from becoming many messages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts import services
from consulops.alerts.forms import NoiseForm
from consulops.alerts.models import Noise


@requires(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def noise(request: HttpRequest) -> HttpResponse:
    """Shows and changes inhibition and flapping, for all routes together."""
    saved = Noise.objects.first() or Noise()
    form = NoiseForm(request.POST or None, instance=saved)
    if form.is_valid():
        changed = services.save_noise(Actor.of(request), form.cleaned_data)
        messages.success(request, "Saved." if changed else "It is as it was.")
        return redirect("alerts:noise")
    return render(request, "alerts/noise.html", {"form": form})

"""The page that imports consul-alerts' configuration: first what would be made, then the button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.api.consul_alerts import importing, names, source
from consulops.api.consul_alerts.config import PREFIX
from consulops.api.consul_alerts.findings import Weight
from consulops.api.consul_alerts.importing import Imported
from consulops.api.consul_alerts.patterns import NOTHING
from consulops.api.consul_alerts.planning import Plan, plan
from consulops.clusters.models import Cluster
from consulops.core.crypto import WrongKey
from consulops.core.times import in_words
from consulops.notifiers.registry import kinds

# In the order in which they are shown.
KINDS = {
    "notifier": "Notifiers",
    "route": "Routes, in the order in which they are tried",
    "silence": "Silences without end, from the blacklist",
    "event handler": "Event handlers",
}
TITLES = {
    Weight.LOST: "Cannot be carried over",
    Weight.CHANGED: "Means something else here",
    Weight.NOTE: "Good to know",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the import would make, change, leave or remove."""

    done: str
    name: str
    detail: str


@requires(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Shows what an import from the cluster's own store would do; POST does just that."""
    cluster = get_object_or_404(Cluster, pk=pk)
    context: dict[str, Any] = {"cluster": cluster, "prefix": PREFIX}
    try:
        tree = source.from_consul(cluster)
    except (source.CannotRead, WrongKey) as error:
        return render(request, "consul_alerts/import.html", {**context, "error": str(error)})
    made = plan(tree.entries, cluster.name)
    made.findings += tree.findings
    if request.method == "POST":
        if request.POST.get("digest") == made.digest():
            return _import(request, cluster, made)
        context["has_changed"] = True
    foreseen = importing.apply(Actor.of(request), cluster, made, dry_run=True)
    context |= {"digest": made.digest(), "keys": len(tree.entries), **_shown(foreseen, made)}
    return render(request, "consul_alerts/import.html", context)


def _import(request: HttpRequest, cluster: Cluster, made: Plan) -> HttpResponse:
    done = importing.apply(Actor.of(request), cluster, made, dry_run=False)
    changed = sum(change.done != "unchanged" for change in done.changes)
    if changed:
        text = f"consul-alerts' configuration is imported: {changed} changes."
    else:
        text = "Everything was as consul-alerts has it; nothing was changed."
    messages.success(request, text)
    return redirect("clusters:detail", cluster.pk)


def _shown(foreseen: Imported, made: Plan) -> dict[str, Any]:
    """What the page is made of: changes by kind, and findings by weight."""
    details = _details(made)
    groups = [
        (
            label,
            [
                Row(one.done, one.name, details.get(one.name, ""))
                for one in foreseen.changes
                if one.kind == kind
            ],
        )
        for kind, label in KINDS.items()
    ]
    weights = [
        (weight, [one for one in foreseen.findings if one.weight is weight]) for weight in Weight
    ]
    return {
        "groups": [(label, rows) for label, rows in groups if rows],
        "weights": [(TITLES[weight], found) for weight, found in weights if found],
        "is_news": any(change.done != "unchanged" for change in foreseen.changes),
    }


def _details(made: Plan) -> dict[str, str]:
    """What there is to say of each thing besides its name."""
    known = kinds()
    found = {
        one.name: str(known[one.kind].label) + ("" if one.enabled else ", switched off")
        for one in made.notifiers
    }
    found |= {one.comment: words_of(one.match) for one in made.silences}
    found |= {one.name: f"runs {one.program} for every event" for one in made.handlers}
    first = names.first(made.cluster)
    for name, one in made.routes.items():
        told = ", ".join(notifier.removeprefix(first) for notifier in one.notifiers)
        remind = f", again every {in_words(one.remind_every_s)}" if one.remind_every_s else ""
        wait = f" after {in_words(one.wait_s)}" if one.wait_s else " at once"
        does = f"tells {told}{wait}{remind}" if told else "tells nobody"
        found[name] = f"{words_of(one.match)}: {does}"
    return found


def words_of(match: Mapping[str, Any]) -> str:
    """The matchers besides the cluster, for people."""
    parts = []
    for name, value in match.items():
        if value == NOTHING:
            parts.append("no service")
        elif name != "cluster":
            text = " or ".join(value) if isinstance(value, list) else value
            parts.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(parts) or "everything"

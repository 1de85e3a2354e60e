"""What the frame around every page shows: clusters, open alerts, and who does not answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from consulops.accounts.models import User
from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.live.topics import audible

# A watcher hears from Consul at least every 30 s: a wait's length and its jitter.
STALE_AFTER = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class ClusterMark:
    """One cluster as the switcher and the banner show it."""

    name: str
    address: str
    colour: str
    enabled: bool
    heard_at: datetime | None
    error: str
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What base.html shows around the page; with `fragment` only a part of the page is wanted."""

    address: str
    stream: str
    fragment: bool = False
    clusters: list[ClusterMark] = field(default_factory=list)
    cluster: ClusterMark | None = None
    query: str = ""
    open: int = 0
    critical: int = 0

    @property
    def stale(self) -> list[ClusterMark]:
        return [cluster for cluster in self.clusters if cluster.is_stale]


def frame(request: HttpRequest) -> dict[str, Any]:
    """Template context processor; two queries a page, none for strangers and for fragments."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or not user.is_authenticated:
        return {}
    return {"frame": _outline(user) if is_fragment(request) else whole(request, user)}


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page that is already open."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and "HX-Boosted" not in headers
        and "HX-History-Restore-Request" not in headers
    )


def whole(request: HttpRequest, user: User) -> Frame:
    """The frame with everything in it."""
    marks = [_mark(cluster) for cluster in Cluster.objects.select_related("state")]
    chosen = next((mark for mark in marks if mark.name == request.GET.get("cluster")), None)
    # By its name: alerts stand above this app, and the frame stands around them all.
    alerts = apps.get_model("alerts", "Alert")._default_manager.filter(resolved_at=None)
    counts = alerts.aggregate(
        open=Count("pk"), critical=Count("pk", filter=Q(status=Status.CRITICAL))
    )
    return replace(
        _outline(user),
        fragment=False,
        clusters=marks,
        cluster=chosen,
        query=f"?{urlencode({'cluster': chosen.name})}" if chosen else "",
        open=counts["open"],
        critical=counts["critical"],
    )


def _outline(user: User) -> Frame:
    query = urlencode({"topics": ",".join(audible(user))}, safe=",")
    return Frame(
        address=reverse("live:frame"), stream=f"{reverse('live:stream')}?{query}", fragment=True
    )


def _mark(cluster: Cluster) -> ClusterMark:
    state = getattr(cluster, "state", None)
    heard_at = state.answered_at if state else None
    # A new cluster is given the same time to answer for the first time.
    late = timezone.now() - (heard_at or cluster.updated_at) > STALE_AFTER
    return ClusterMark(
        name=cluster.name,
        address=reverse("clusters:detail", args=[cluster.pk]),
        colour=cluster.colour,
        enabled=cluster.enabled,
        heard_at=heard_at,
        error=state.error if state else "",
        is_stale=cluster.enabled and (late or bool(state and state.error)),
    )

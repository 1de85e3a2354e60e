"""The list of silences and its buttons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts.models import Alert
from consulops.alerts.views.answers import done
from consulops.core import export, paging
from consulops.health.asked import asked
from consulops.health.matching import compile_match
from consulops.health.models import Check
from consulops.silences import services, words
from consulops.silences.forms import SPANS
from consulops.silences.guards import LONGEST_COMMENT, BadSilence, Wanted
from consulops.silences.models import Silence
from consulops.silences.querysets import SilenceQuerySet
from consulops.silences.views.reach import Reach, reaches

_ORDER = ("-starts_at", "-id")
# By the value of `?state=`; without one those are shown that have begun and not ended.
_LABELS = {"": "Active", "upcoming": "Upcoming", "expired": "Expired", "all": "All"}
_EXTENSIONS = [(name, SPANS[name][0]) for name in ("1h", "4h", "1d")]
_EXPORTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One silence as the list shows it."""

    silence: Silence
    phase: words.Phase
    terms: list[words.Term]
    windows: Sequence[str]
    next_begin: datetime | None
    # None for one that is over.
    reach: Reach | None
    # Until it begins and until it ends; negative for what has been.
    begins_in_s: float
    left_s: float | None


@require_GET
def silences(request: HttpRequest) -> HttpResponseBase:
    """The active silences, newest first; or others that the query string asks for.

    Always rendered anew, never answered 304: they begin and end without anybody doing anything.
    """
    now, wanted = timezone.now(), asked(request)
    state = request.GET.get("state", "")
    state = state if state in _LABELS else ""
    meant = Silence.objects.mentioning(wanted.q)
    found = _of_state(meant, state, now)
    if export.wanted(request):
        return export.export(request, "silences", _facts(found.order_by(*_ORDER), now))
    page = paging.page(found, _ORDER, wanted.after)
    context = {
        "asked": wanted,
        "state": state,
        "page": page,
        "rows": _rows(page.rows, now),
        "chips": _chips(meant.counts(now)),
        "spans": _EXTENSIONS,
    }
    return render(request, "silences/list.html", context)


def _of_state(meant: SilenceQuerySet, state: str, now: datetime) -> SilenceQuerySet:
    if state == "upcoming":
        return meant.upcoming(now)
    if state == "expired":
        return meant.expired(now)
    return meant if state else meant.active(now)


def _chips(counts: dict[str, int]) -> list[dict[str, object]]:
    return [
        {"key": "state", "value": value, "label": label, "count": counts[value or "active"]}
        for value, label in _LABELS.items()
    ]


def _rows(found: Sequence[Silence], now: datetime) -> list[Row]:
    phases = {one.pk: words.phase(one, now) for one in found}
    living = [one for one in found if phases[one.pk] is not words.Phase.EXPIRED]
    known = reaches([compile_match(one.match) for one in living])
    reach = {one.pk: reached for one, reached in zip(living, known, strict=True)}
    return [
        Row(
            silence=one,
            phase=phases[one.pk],
            terms=list(words.terms(one.match)),
            windows=words.in_words(one),
            next_begin=words.next_begin(one, now),
            reach=reach.get(one.pk),
            begins_in_s=(one.starts_at - now).total_seconds(),
            left_s=(one.ends_at - now).total_seconds() if one.ends_at else None,
        )
        for one in found
    ]


@requires(Role.OPERATOR)
@require_POST
def expire(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends a silence now."""
    ended = services.expire(Actor.of(request), get_object_or_404(Silence, pk=pk))
    text = "It is over: whom it concerns is told again." if ended else "It was over already."
    return done(request, text, reverse("silences:list"), ok=ended)


@requires(Role.OPERATOR)
@require_POST
def extend(request: HttpRequest, pk: int) -> HttpResponse:
    """Puts the end of a silence off by one of the offered spans."""
    silence, back = get_object_or_404(Silence, pk=pk), reverse("silences:list")
    label, span = SPANS.get(request.POST.get("by", ""), SPANS["1h"])
    try:
        services.extend(Actor.of(request), silence, span)
    except BadSilence as error:
        return done(request, f"Not extended: {error.problems[0][1]}.", back, ok=False)
    return done(request, f"Extended by {label}.", back)


@requires(Role.OPERATOR)
@require_POST
def from_alert(request: HttpRequest, pk: int) -> HttpResponse:
    """Silences an alert's check, service or node for an hour, with one click."""
    alert = get_object_or_404(Alert.objects.select_related("check_ref", "cluster"), pk=pk)
    back = reverse("alerts:detail", args=(pk,))
    match, meant = _scope(alert.check_ref, alert.cluster.name, request.POST.get("scope", ""))
    if not match:
        return done(request, f"Not silenced: {meant}.", back, ok=False)
    now = timezone.now()
    said = request.POST.get("comment", "").replace("\0", "").strip()[:LONGEST_COMMENT]
    wanted = Wanted(
        match=match,
        comment=said or f"While alert {alert.pk} is looked into",
        starts_at=now,
        ends_at=now + SPANS["1h"][1],
        windows=[],
    )
    services.create(Actor.of(request), wanted)
    return done(request, f"{meant} is silent for an hour.", back)


def _scope(check: Check, cluster: str, scope: str) -> tuple[dict[str, str], str]:
    """Exact matchers and their words; none, and why, when the check belongs to no such thing."""
    if scope == "service":
        if not check.service:
            return {}, "this check belongs to no service"
        return words.exact(cluster=cluster, service=check.service), f"Service {check.service}"
    if scope == "node":
        if not check.node:
            return {}, "this check belongs to no node"
        return words.exact(cluster=cluster, node=check.node), f"Node {check.node}"
    match = words.exact(
        cluster=cluster, node=check.node, service_id=check.service_id, check=check.check_id
    )
    return match, f"Check {check.name or check.check_id}"


def _facts(found: SilenceQuerySet, now: datetime) -> Iterator[dict[str, Any]]:
    for one in found.iterator(chunk_size=_EXPORTED_AT_ONCE):
        yield {
            "id": one.pk,
            "state": words.phase(one, now).value,
            "match": one.match,
            "comment": one.comment,
            "author": one.author_name,
            "origin": one.origin,
            "starts_at": one.starts_at,
            "ends_at": one.ends_at,
            "windows": one.windows,
        }

"""Every message that was made, how far it has come, and the buttons that send one again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts import desk, story
from consulops.alerts.models import WAITING, Delivery, DeliveryState, Reason
from consulops.alerts.views.answers import done
from consulops.core import export, paging
from consulops.health.asked import asked
from consulops.live.etag import fresh_by
from consulops.notifiers.base import Message
from consulops.notifiers.models import Notifier

ALERTS_SHOWN = 50
_NEWEST_FIRST = ("-created_at", "-id")
_EXPORTED_AT_ONCE = 500
_WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages are asked for; what is empty leaves nothing out."""

    cluster: str
    words: str
    notifier: str
    state: str
    reason: str
    after: str

    @property
    def any(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.cluster or self.words or self.notifier or self.state or self.reason)

    @property
    def query(self) -> str:
        """The same as a query string, without the page."""
        parts = {"cluster": self.cluster, "q": self.words, "notifier": self.notifier}
        parts |= {"state": self.state, "reason": self.reason}
        return urlencode({key: value for key, value in parts.items() if value})

    def deliveries(self) -> QuerySet[Delivery]:
        """These messages, in every state but for the one that is asked for."""
        found = self._narrowed()
        if self.state == _WAITING:
            return found.filter(state__in=WAITING)
        return found.filter(state=self.state) if self.state else found

    def counts(self) -> dict[str, int]:
        """How many wait and how many have failed; of those that are sent there are too many."""
        found = self._narrowed().order_by()
        return {
            _WAITING: found.filter(state__in=WAITING).count(),
            DeliveryState.FAILED: found.filter(state=DeliveryState.FAILED).count(),
        }

    def _narrowed(self) -> QuerySet[Delivery]:
        found = Delivery.objects.all()
        if self.notifier:
            found = found.filter(notifier_name=self.notifier)
        if self.reason:
            found = found.filter(reason=self.reason)
        if self.cluster:
            found = found.filter(message__cluster=self.cluster)
        for word in self.words.split():
            found = found.filter(_holds(word))
        return found


def _holds(word: str) -> Q:
    """Whether a word is in what a message says, or says whom it was for, or what went wrong."""
    texts = ("message__alerts__icontains", "notifier_name__icontains", "route_name__icontains")
    any_of = Q(error__icontains=word) | Q(key__iexact=word)
    for text in texts:
        any_of |= Q(**{text: word})
    return any_of


def _wanted(request: HttpRequest) -> Wanted:
    names = asked(request)
    state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
    return Wanted(
        cluster=names.cluster,
        words=names.q,
        notifier=request.GET.get("notifier", "").replace("\x00", "")[:60],
        state=state if state in (*DeliveryState.values, _WAITING) else "",
        reason=reason if reason in Reason.values else "",
        after=names.after,
    )


@require_GET
@fresh_by("deliveries", "alerts", "notifiers")
def deliveries(request: HttpRequest) -> HttpResponseBase:
    """All messages, newest first, or those that the query string asks for."""
    wanted = _wanted(request)
    found = wanted.deliveries()
    if export.wanted(request):
        return export.export(request, "deliveries", _facts(found))
    page = paging.page(
        story.listed(found).annotate(about=F("message__alerts__0")), _NEWEST_FIRST, wanted.after
    )
    counts = wanted.counts()
    context = {
        "wanted": wanted,
        "page": page,
        "states": [
            {"value": "", "label": "All", "count": None},
            {"value": _WAITING, "label": "Waiting", "count": counts[_WAITING]},
            {"value": "failed", "label": "Failed", "count": counts[DeliveryState.FAILED]},
            {"value": "sent", "label": "Sent", "count": None},
        ],
        "reasons": Reason.choices,
        "notifiers": _notifier_names(),
        "failed": counts[DeliveryState.FAILED],
    }
    return render(request, "alerts/deliveries.html", context)


def _notifier_names() -> list[str]:
    """Of those that there are; messages of deleted ones are found by the search."""
    return list(Notifier.objects.order_by("name").values_list("name", flat=True))


@require_GET
@fresh_by("deliveries", "alerts", "notifiers")
def delivery(request: HttpRequest, pk: int) -> HttpResponse:
    """One message: what it says, what it is about, and every attempt."""
    found = get_object_or_404(Delivery.objects.select_related("notifier"), pk=pk)
    about = found.alerts.select_related("check_ref", "cluster").defer("check_ref__output")
    alerts = list(about.order_by("rank", "-opened_at")[: ALERTS_SHOWN + 1])
    context = {
        "delivery": found,
        "attempts": found.attempts.order_by("-id")[: story.ATTEMPTS_SHOWN * 10],
        "alerts": alerts[:ALERTS_SHOWN],
        "are_more": len(alerts) > ALERTS_SHOWN,
        "message": _body(found),
        "is_waiting": found.state in WAITING,
        "can_retry": found.state != DeliveryState.SENT and found.notifier_id is not None,
        "is_overtaken": bool(desk.overtaken([found])),
    }
    return render(request, "alerts/delivery.html", context)


def _body(found: Delivery) -> str:
    """The message as a webhook gets it: in that order, which the database does not keep."""
    body = Message.from_dict(found.message).to_dict()
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()


@requires(Role.OPERATOR)
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Sends one message again."""
    found = get_object_or_404(Delivery, pk=pk)
    ok = desk.retry(Actor.of(request), found)
    text = "It is sent again now." if ok else "It was sent already, or its notifier is gone."
    return done(request, text, reverse("alerts:delivery", args=[pk]), ok=ok)


@requires(Role.OPERATOR)
@require_POST
def retry_failed(request: HttpRequest) -> HttpResponse:
    """Sends the failed messages of the list's filter again."""
    wanted = _wanted(request)
    count = desk.retry_failed(Actor.of(request), wanted.deliveries())
    otherwise = f"{reverse('alerts:deliveries')}?{wanted.query}"
    if not count:
        return done(request, "No failed message is worth sending again.", otherwise, ok=False)
    return done(request, f"{count} message{'s are' if count > 1 else ' is'} sent again.", otherwise)


@requires(Role.OPERATOR)
@require_POST
def give_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Stops trying to send one message."""
    found = get_object_or_404(Delivery, pk=pk)
    ok = desk.give_up(Actor.of(request), found)
    text = "It is not tried any more." if ok else "It does not wait any more."
    return done(request, text, reverse("alerts:delivery", args=[pk]), ok=ok)


def _facts(found: QuerySet[Delivery]) -> Iterator[dict[str, Any]]:
    rows = found.defer("message").annotate(cluster=F("message__cluster"))
    for row in rows.order_by(*_NEWEST_FIRST).iterator(chunk_size=_EXPORTED_AT_ONCE):
        yield {
            "id": row.pk,
            "key": str(row.key),
            "notifier": row.notifier_name,
            "route": row.route_name,
            "reason": row.reason,
            "cluster": row.cluster,
            "state": row.state,
            "created_at": row.created_at,
            "attempts": row.attempt_count,
            "next_attempt_at": row.next_attempt_at if row.state in WAITING else None,
            "finished_at": row.finished_at,
            "error": row.error,
        }

"""The life of alerts: what changes of checks open, move, end, and call flapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, Q
from django.utils import timezone

from consulops.alerts import evaluation, surroundings
from consulops.alerts.models import Alert, Noise, Notice
from consulops.alerts.table import Table
from consulops.core import bulk
from consulops.core.status import FAILING, LOOKS, Status, parse
from consulops.health.models import Transition
from consulops.notifiers.models import Notifier

_OVER = (Status.PASSING, Status.GONE)


_RESTLESS = """SELECT check_id FROM health_transition
    WHERE check_id = ANY(%s) AND at > %s AND watched
    GROUP BY check_id HAVING count(*) >= %s"""


def on_transitions(sender: type[Transition], transitions: Sequence[Transition], **_: Any) -> None:
    """Opens, moves and resolves the alerts of these changes and decides whom to tell.

    Runs inside the transaction that records the changes.
    """
    places = surroundings.changed(transitions)
    evaluation.hold(alone=places is not None)
    now = timezone.now()
    # The last word of each check counts: one batch may hold two changes of the same check.
    last = {transition.check_ref_id: transition for transition in transitions}
    present = evaluation.lock(Alert.objects.filter(check_ref__in=last, resolved_at__isnull=True))
    taken = {alert.check_ref_id for alert in present}
    table = Table.load(now)
    restless = _restless(last, table.noise, now)
    fresh = _open([one for pk, one in last.items() if pk not in taken], restless, table.noise)
    moved = _move(present, last, restless, table.noise)
    freed = _surrounded(places, {alert.pk for alert in (*moved, *fresh)})
    evaluation.evaluate(fresh, now, fresh=True, table=table)
    evaluation.evaluate(moved + freed, now, table=table)


def _restless(checks: Mapping[int, Transition], noise: Noise, now: datetime) -> set[int]:
    """Those of the checks that changed so often lately that they flap."""
    if not noise.flap_changes:
        return set()
    since = now - timedelta(seconds=noise.flap_window_s)
    with connection.cursor() as cursor:
        cursor.execute(_RESTLESS, [list(checks), since, noise.flap_changes])
        return {pk for (pk,) in cursor.fetchall()}


def _move(
    alerts: Sequence[Alert],
    last: Mapping[int, Transition],
    restless: set[int],
    noise: Noise,
) -> list[Alert]:
    """Those of the alerts whose check has changed, with what follows from it."""
    # "Unknown" is neither worse nor over: the alert stays as it is.
    moved = [
        alert
        for alert in alerts
        if last[alert.check_ref_id].status != Status.UNKNOWN
        and (alert.stable_at or last[alert.check_ref_id].status != alert.status)
    ]
    for alert in moved:
        transition = last[alert.check_ref_id]
        if alert.check_ref_id in restless or (alert.stable_at and noise.flap_changes):
            _call_flapping(alert, transition.at, noise)
        _follow(alert, transition.status, transition.at)
    _save(moved)
    return moved


def _call_flapping(alert: Alert, at: datetime, noise: Noise) -> None:
    alert.flapping_since = alert.flapping_since or at
    alert.stable_at = at + timedelta(seconds=noise.flap_rest_s)


def _follow(alert: Alert, status: str, at: datetime) -> None:
    """Takes the check's status over; one that flaps is not over because it passes for once."""
    state = parse(status)
    if state is Status.GONE:
        alert.flapping_since = alert.stable_at = None
    if state is Status.PASSING and alert.stable_at:
        return
    if status != alert.status:
        alert.previous, alert.status, alert.since = alert.status, status, at
    if state in _OVER:
        alert.resolved_at = at
    else:
        alert.rank = LOOKS[state].rank


def _save(alerts: Sequence[Alert]) -> None:
    changed = ("previous", "status", "since", "resolved_at", "rank", "flapping_since", "stable_at")
    bulk.update(alerts, changed)


def _open(transitions: Sequence[Transition], restless: set[int], noise: Noise) -> list[Alert]:
    alerts = [
        Alert(
            cluster=transition.cluster,
            check_ref=transition.check_ref,
            status=transition.status,
            previous=transition.previous,
            rank=LOOKS[parse(transition.status)].rank,
            since=transition.at,
            opened_at=transition.at,
        )
        for transition in transitions
        if transition.status in FAILING
    ]
    for alert in alerts:
        if alert.check_ref_id in restless:
            _call_flapping(alert, alert.opened_at, noise)
    return bulk.insert(alerts)


def _surrounded(places: Q | None, known: set[int]) -> list[Alert]:
    """The open alerts around which something larger began or ended just now."""
    if places is None:
        return []
    open_alerts = Alert.objects.filter(places, resolved_at__isnull=True).exclude(pk__in=known)
    return evaluation.lock(open_alerts)


def evaluate_due() -> int:
    """Looks again at every alert that has rested, and whose wait or reminder is over; how many."""
    with transaction.atomic():
        evaluation.hold()
        now = timezone.now()
        alerts = evaluation.due(now)
        _settle([alert for alert in alerts if alert.stable_at and alert.stable_at <= now])
        evaluation.evaluate(alerts, now)
    return len(alerts)


def _settle(rested: Sequence[Alert]) -> None:
    """Alerts whose checks flapped and have rested are from now on as their checks are."""
    for alert in rested:
        alert.flapping_since = alert.stable_at = None
        if alert.check_ref.status != Status.UNKNOWN:
            _follow(alert, alert.check_ref.status, alert.check_ref.since)
    _save(rested)


def look_again(**_: Any) -> None:
    """Decides anew about every open alert: a route, a silence or what they mean has changed.

    Also about those that are over and whose end waits to be told: it comes before the next failure.
    """
    waiting = Notice.objects.filter(due_at__isnull=False).values_list("alert", flat=True)
    _look_again_at(Q(resolved_at__isnull=True) | Q(pk__in=set(waiting)))


def on_notifier(sender: type[Notifier], created: bool, **_: Any) -> None:
    """Routes whose notifier is switched on have somebody to tell of what is open."""
    if not created:
        look_again()


def on_metas(sender: type[Model], meta: str, cluster_id: int, nodes: set[str], **_: Any) -> None:
    """Consul tells of a failure before it tells of the meta of what is new."""
    if Table.load(timezone.now()).needs(meta):
        places = Q(cluster=cluster_id, check_ref__node__in=nodes)
        _look_again_at(places & Q(resolved_at__isnull=True))


def _look_again_at(concerned: Q) -> None:
    with transaction.atomic():
        evaluation.hold(alone=True)
        alerts = evaluation.lock(Alert.objects.filter(concerned))
        evaluation.evaluate(alerts, timezone.now())

"""Alerts like this one before it: how often, how long, and what was said about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, F, Max, Q

from consulops.alerts.models import Alert, Comment
from consulops.alerts.querysets import AlertQuerySet

SINCE = timedelta(days=30)
EARLIER_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody last said of such an alert."""

    alert_id: int
    text: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Similar:
    """One way to be like the alert, and how often that was so in the last thirty days."""

    label: str
    count: int
    # How many checks had it.
    checks: int
    usual: timedelta | None
    longest: timedelta | None
    said: Said | None = None


def similar(alert: Alert) -> list[Similar]:
    """The ways in which there were such alerts before this one; those without any are left out."""
    check = alert.check_ref
    before = Alert.objects.filter(
        opened_at__lt=alert.opened_at, opened_at__gte=alert.opened_at - SINCE
    )
    same = Q(check_ref__cluster=alert.cluster_id) & ~Q(check_ref=check)
    ways = [("This check", Q(check_ref=check))]
    if check.node:
        ways.append(("The same check on other nodes", same & _alike(alert)))
    if check.service:
        others = same & Q(check_ref__service=check.service) & ~_alike(alert)
        ways.append((f"Other checks of {check.service}", others))
    found = [_similar(label, before.filter(condition)) for label, condition in ways]
    return [one for one in found if one.count]


def _alike(alert: Alert) -> Q:
    """The same check elsewhere: by its id, or where ids name the instance by service and name."""
    check = alert.check_ref
    named = Q(check_ref__service=check.service, check_ref__name=check.name)
    return Q(check_ref__check_id=check.check_id) | (named if check.service and check.name else Q())


def earlier(alert: Alert) -> AlertQuerySet:
    """The last alerts of the same check before this one."""
    found = Alert.objects.filter(check_ref=alert.check_ref_id, opened_at__lt=alert.opened_at)
    return found.select_related("acknowledged_by").order_by("-opened_at", "-id")[:EARLIER_SHOWN]


def _similar(label: str, alerts: AlertQuerySet) -> Similar:
    lasted = F("resolved_at") - F("opened_at")
    numbers = alerts.aggregate(
        count=Count("pk"),
        checks=Count("check_ref", distinct=True),
        usual=Avg(lasted),
        longest=Max(lasted),
    )
    return Similar(label, **numbers, said=_said(alerts) if numbers["count"] else None)


def _said(alerts: AlertQuerySet) -> Said | None:
    """The last comment on any of them, or what was said when one was acknowledged."""
    comment = Comment.objects.filter(alert__in=alerts.order_by()).order_by("-at", "-id").first()
    taken = (
        alerts.exclude(comment="")
        .select_related("acknowledged_by")
        .order_by("-acknowledged_at")
        .first()
    )
    if taken and taken.acknowledged_at and (not comment or taken.acknowledged_at > comment.at):
        author = taken.acknowledged_by.username if taken.acknowledged_by else "somebody"
        return Said(taken.pk, taken.comment, author, taken.acknowledged_at)
    if comment is None:
        return None
    return Said(comment.alert_id, comment.text, comment.author_name, comment.at)

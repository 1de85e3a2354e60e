"""The 24-hour bars of checks, and of clusters, services and nodes as the worst of their checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Max, Min
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.clusters.verdict import is_late
from consulops.core.bars import BarHour
from consulops.core.status import Status
from consulops.health import hours
from consulops.health.hours import COUNTED, HOUR, Share
from consulops.health.models import Check, CheckHour
from consulops.health.querysets import CheckQuerySet

Bar = list[BarHour]
# What the checks of one bar have in common: the cluster's id, and perhaps a service or a node.
Key = tuple[int | str, ...]

_SECONDS = tuple(f"{status.value}_s" for status in COUNTED)


def is_old(cluster: Cluster, now: datetime) -> bool:
    """Whether nobody knows how this cluster is now: it is switched off or has not answered."""
    if cluster.internal:
        # It stands for ConsulOps itself, which knows.
        return False
    return not cluster.enabled or is_late(cluster.state, now)


def bars_for(checks: Sequence[Check], now: datetime | None = None) -> dict[int, Bar]:
    """The bar of each check by its id, in one query. They come with their cluster and its state."""
    now = now or timezone.now()
    rows = CheckHour.objects.filter(
        check_ref__in=[check.pk for check in checks], hour__gte=_first(now)
    )
    shares: defaultdict[int, list[Share]] = defaultdict(list)
    for pk, hour, *seconds in rows.values_list("check_ref", "hour", *_SECONDS):
        shares[pk] += _shares(hour, seconds)
    found = {}
    for check in checks:
        mine = shares[check.pk] + hours.split(check.status, max(check.since, _first(now)), now)
        bar = hours.bar(mine, check.first_seen_at, now)
        if check.status == Status.GONE:
            bar = _unseen(bar, check.since, Status.GONE)
        elif is_old(check.cluster, now):
            bar = _unseen(bar, check.cluster.state.answered_at, Status.NONE)
        found[check.pk] = bar
    return found


def bars_by(
    checks: CheckQuerySet, by: Sequence[str], clusters: Iterable[Cluster], now: datetime
) -> dict[Key, Bar]:
    """The bars of these checks put together by these columns, the first of which is "cluster".

    Each hour has the state of its worst check, and the time of the one that was in it longest.
    Two queries; the clusters come with their state.
    """
    state_of = {cluster.pk: cluster for cluster in clusters}
    seen, shares = _open_states(checks, by, now)
    closed = _closed_hours(checks, by, now)
    found = {}
    for key, since in seen.items():
        bar = hours.bar(closed.get(key, []) + shares[key], since, now)
        cluster = state_of.get(int(key[0]))
        if cluster is not None and is_old(cluster, now):
            bar = _unseen(bar, cluster.state.answered_at, Status.NONE)
        found[key] = bar
    return found


def blank(now: datetime) -> Bar:
    """The bar of what was never seen."""
    return hours.bar([], now + HOUR, now)


def _first(now: datetime) -> datetime:
    return hours.floor(now) - 23 * HOUR


def _shares(hour: datetime, seconds: Sequence[float]) -> list[Share]:
    return [
        Share(hour, status, spent)
        for status, spent in zip(COUNTED, seconds, strict=True)
        if spent > 0
    ]


def _open_states(
    checks: CheckQuerySet, by: Sequence[str], now: datetime
) -> tuple[dict[Key, datetime], Mapping[Key, list[Share]]]:
    """Since when each group is known, and its present states from the longest-lasting one on."""
    seen: dict[Key, datetime] = {}
    shares: defaultdict[Key, list[Share]] = defaultdict(list)
    rows = checks.living().order_by().values_list(*by, "status")
    for *parts, status, since, first_seen in rows.annotate(Min("since"), Min("first_seen_at")):
        key = tuple(parts)
        seen[key] = min(first_seen, seen.get(key, first_seen))
        shares[key] += hours.split(status, max(since, _first(now)), now)
    return seen, shares


def _closed_hours(
    checks: CheckQuerySet, by: Sequence[str], now: datetime
) -> Mapping[Key, list[Share]]:
    shares: defaultdict[Key, list[Share]] = defaultdict(list)
    rows = CheckHour.objects.filter(check_ref__in=checks.order_by(), hour__gte=_first(now))
    columns = [f"check_ref__{column}" for column in by]
    most = [Max(name) for name in _SECONDS]
    for *parts, hour, a, b, c, d in rows.values_list(*columns, "hour").annotate(*most):
        shares[tuple(parts)] += _shares(hour, (a, b, c, d))
    return shares


def _unseen(bar: Bar, since: datetime | None, status: Status) -> Bar:
    """The bar with its hours after this moment marked: nobody saw them, so they are not green."""
    text = "gone" if status is Status.GONE else "not known"
    if since is None:
        since = bar[0].start - timedelta(seconds=1)
    return [BarHour(block.start, status, text) if block.start > since else block for block in bar]

"""What people have set up: routes with whom they tell, silences, and what is noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, models

from consulops.alerts.models import Noise, Route
from consulops.alerts.pipeline import Hold, Terms
from consulops.core import windows
from consulops.core.windows import Window
from consulops.health.matching import Match, Subject, compile_match
from consulops.notifiers.models import Notifier
from consulops.silences.models import Silence
from consulops.silences.standing import Standing, holding

Told = Mapping[int, list[Notifier]]


@dataclass(slots=True)
class Table:
    """The routes in order, compiled, with their notifiers; and what stands between."""

    routes: list[Route]
    matches: dict[int, Match]
    notifiers: Told
    escalations: Told = field(default_factory=dict)
    # When the active hours of routes begin that are outside theirs now.
    asleep_until: dict[int, datetime] = field(default_factory=dict)
    silences: list[Standing] = field(default_factory=list)
    noise: Noise = field(default_factory=Noise)

    @classmethod
    def load(cls, now: datetime) -> Table:
        """The routes that are switched on, with their notifiers that are, and today's silences."""
        setup = _setup(now)
        return cls(
            routes=setup.routes,
            matches=setup.matches,
            notifiers=setup.notifiers,
            escalations=setup.escalations,
            asleep_until={
                route: begin
                for route, hours in setup.active_hours.items()
                if (begin := windows.begins_at(hours, now))
            },
            silences=holding(setup.silences, now),
            noise=setup.noise,
        )

    def mismatches(self, subject: Subject) -> dict[int, str]:
        """For each route why it does not speak for the subject; empty text: it does."""
        taken_by, reasons = "", {}
        for route in self.routes:
            if taken_by:
                reasons[route.pk] = f"the route {taken_by} comes first"
                continue
            reasons[route.pk] = self.matches[route.pk].mismatch(subject)
            if not reasons[route.pk] and not route.continues:
                taken_by = route.name
        return reasons

    def somebody_hears(self, subject: Subject) -> bool:
        """Whether any route tells anybody of the subject, and is not outside its hours now."""
        reasons = self.mismatches(subject)
        return any(
            not reasons[route.pk]
            and self.notifiers.get(route.pk)
            and route.pk not in self.asleep_until
            for route in self.routes
        )

    def silence(self, subject: Subject) -> Hold:
        """The silence that means the subject and holds longest, if there is one."""
        found = [one for one in self.silences if not one.match.mismatch(subject)]
        endless = [one for one in found if one.until is None]
        if endless:
            return Hold(endless[0].text)
        last = max(found, key=lambda one: one.until or datetime.max, default=None)
        return Hold(last.text, last.until) if last else Hold()

    def needs(self, meta: str) -> bool:
        """Whether any matcher looks at "service_meta" or "node_meta"."""
        matches = [*self.matches.values(), *(one.match for one in self.silences)]
        return any(match.needs(meta) for match in matches)

    def terms(self, route: Route) -> Terms:
        """The route's part of a situation."""
        return Terms(
            wait_s=route.wait_s,
            remind_every_s=route.remind_every_s,
            notify_resolved=route.notify_resolved,
            grouped=bool(route.group_by),
            group_wait_s=route.group_wait_s,
            group_interval_s=route.group_interval_s,
            escalate_after_s=route.escalate_after_s if self.escalations.get(route.pk) else 0,
            has_recipients=bool(self.notifiers.get(route.pk)),
        )


@dataclass(frozen=True, slots=True)
class _Setup:
    """What was set up, as it was read and compiled once."""

    fingerprint: int
    routes: list[Route]
    matches: dict[int, Match]
    notifiers: Told
    escalations: Told
    active_hours: dict[int, tuple[Window, ...]]
    silences: list[Silence]
    noise: Noise


# Everything that a decision rests on, as one number: it is asked for with each change of a check,
# where reading and compiling all of it anew would be a quarter of the work.
_FINGERPRINT = """SELECT coalesce(sum(hashtextextended(part, 0)), 0) FROM (
    SELECT 'route' || row::text FROM alerts_route AS row
    UNION ALL SELECT 'told' || row::text FROM alerts_route_notifiers AS row
    UNION ALL SELECT 'next' || row::text FROM alerts_route_escalate_to AS row
    UNION ALL SELECT 'notifier' || (id, name, enabled, updated_at)::text FROM notifiers_notifier
    UNION ALL SELECT 'noise' || row::text FROM alerts_noise AS row
    UNION ALL SELECT 'silence' || row::text FROM silences_silence AS row
        WHERE ends_at IS NULL OR ends_at > %s
) AS parts (part)"""

_last: _Setup | None = None


def _setup(now: datetime) -> _Setup:
    """The last one, while nothing has changed since."""
    global _last
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT, [now])
        (fingerprint,) = cursor.fetchone()
    setup = _last
    if setup is None or setup.fingerprint != fingerprint:
        _last = setup = _read(int(fingerprint), now)
    return setup


def _read(fingerprint: int, now: datetime) -> _Setup:
    routes = list(Route.objects.filter(enabled=True).order_by("position", "id"))
    return _Setup(
        fingerprint=fingerprint,
        routes=routes,
        matches={route.pk: compile_match(route.match) for route in routes},
        notifiers=_linked(Route.notifiers.through),
        escalations=_linked(Route.escalate_to.through),
        active_hours={route.pk: windows.parse(route.active_hours) for route in routes},
        silences=list(Silence.objects.living(now).order_by("pk")),
        noise=Noise.objects.first() or Noise(),
    )


def _linked(through: type[models.Model]) -> Told:
    found: defaultdict[int, list[Notifier]] = defaultdict(list)
    links = through._default_manager.filter(
        route__enabled=True, notifier__enabled=True
    ).select_related("notifier")
    for link in links.order_by("notifier_id"):
        found[link.route_id].append(link.notifier)  # type: ignore[attr-defined]  # a link has both
    return found


def asks_for_service_meta() -> bool:
    """Whether a route or a silence looks at what the watchers do not read of themselves."""
    routes = Route.objects.filter(enabled=True, match__has_key="service_meta")
    return routes.exists() or Silence.objects.filter(match__has_key="service_meta").exists()

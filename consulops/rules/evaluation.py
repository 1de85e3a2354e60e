"""Keeps one synthetic check for each service that a rule counts: open alerts follow from these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.health.models import Check, Source, Transition
from consulops.health.observation import Key, Observation
from consulops.health.services import Recording, record
from consulops.rules.counting import Count, Rule, count, find, services_of
from consulops.rules.models import ServiceRule
from consulops.rules.verdict import Verdict, judge

# A service that has been away so long was taken away on purpose.
FORGOTTEN_AFTER = timedelta(days=7)
_PREFIX = "consulops:rule:"


def check_id(rule: int, service: str) -> str:
    """The id of the check that says how a service fares by a rule."""
    return f"{_PREFIX}{rule}:{service}"


def rule_of(check_id: str) -> int:
    """The rule that such a check belongs to."""
    return int(check_id.removeprefix(_PREFIX).partition(":")[0])


def living_checks(clusters: Iterable[Cluster] | None = None) -> list[Check]:
    """What rules say now: their checks, worst first, with their cluster."""
    meant = Cluster.objects.all() if clusters is None else clusters
    # Only our own checks have no node, which makes this a short walk in an index.
    rows = Check.every.filter(cluster__in=meant, node="", source=Source.RULE).living()
    return list(rows.worst_first().select_related("cluster"))


def enabled_rules() -> list[Rule]:
    """The rules that are switched on, ready to be used; one query."""
    return [Rule.of(row) for row in ServiceRule.objects.filter(enabled=True)]


def on_transitions(sender: type[Transition], transitions: Sequence[Transition], **_: Any) -> None:
    """Judges the services that these changes touch, in the transaction that records them.

    What rules themselves record comes by here too, and is passed over.
    """
    news = [one for one in transitions if one.check_ref.source == Source.CONSUL]
    rules = enabled_rules() if news else []
    if not rules:
        return
    for cluster in {one.cluster for one in news}:
        checks = [one.check_ref for one in news if one.cluster_id == cluster.pk]
        services = {check.service for check in checks if check.service}
        if nodes := {check.node for check in checks if not check.service}:
            services |= services_of(cluster, nodes)
        Round(cluster, rules).run(services)


def look(cluster: Cluster, fence: Callable[[], None]) -> None:
    """Judges everything in a cluster, and lets go of what no enabled rule means any more.

    Raises LeaseLost (from the fence) and then has stored nothing.
    """
    with transaction.atomic():
        fence()
        Round(cluster, enabled_rules()).run(None)


def look_anew(rule: Rule | None, pk: int) -> None:
    """Judges everything by one rule that was changed just now (None: switched off or deleted).

    Services of which it counts no instance are let go: it may never have meant them.
    """
    for cluster in Cluster.objects.all():
        Round(cluster, [rule] if rule and cluster.enabled else [], only=pk).run(None)


class Said(NamedTuple):
    """What a rule has said of one service; there may be thousands."""

    service: str
    status: str
    output: str
    name: str
    since: datetime


@dataclass(slots=True)
class Round:
    """One look at a cluster, in the caller's transaction."""

    cluster: Cluster
    rules: Sequence[Rule]
    # The one rule whose checks are looked at, as it was changed just now.
    only: int | None = None

    def run(self, services: Collection[str] | None) -> None:
        """Judges these services, or all, and records what is different now."""
        # Two looks at once could each store what the other has just made untrue.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtext('consulops rules'), %s::int)",
                [self.cluster.pk],
            )
        known = self._known(services)
        everything = services is None
        names = services_of(self.cluster) if services is None else set(services)
        meant = {
            name
            for name in names
            if any(rule.may_mean(self.cluster.name, name) for rule in self.rules)
        }
        found = find(self.cluster, meant, self.rules)
        seen, gone = [], set(known) if everything else set[Key]()
        for rule in self.rules:
            for key, observation in self._judged(rule, count(rule, found), known, everything):
                gone.discard(key)
                if observation and _differs(observation, known.get(key)):
                    seen.append(observation)
        if seen or gone:
            record(Recording(self.cluster, _no_fence, source=Source.RULE), seen, gone)

    def _known(self, services: Collection[str] | None) -> dict[Key, Said]:
        rows = Check.every.filter(cluster=self.cluster, node="", source=Source.RULE).living()
        if services is not None:
            rows = rows.filter(service__in=services)
        return {
            ("", check_id): Said(*said)
            for check_id, *said in rows.values_list("check_id", *Said._fields)
            if self.only is None or rule_of(check_id) == self.only
        }

    def _judged(
        self, rule: Rule, counted: Count, known: Mapping[Key, Said], everything: bool
    ) -> Iterator[tuple[Key, Observation | None]]:
        """What the rule says of each service that it counts or counted; None: as it is."""
        for service, instances in counted.services.items():
            observation = _observation(rule, service, judge(rule.measure, instances))
            yield observation.key, observation
        for key, said in known.items():
            if said.service in counted.services or rule_of(key[1]) != rule.pk:
                continue
            if said.service in counted.unclear:
                yield key, None
            elif self._is_missed(rule, said, everything):
                yield key, _observation(rule, said.service, judge(rule.measure, ()))

    def _is_missed(self, rule: Rule, said: Said, everything: bool) -> bool:
        """Whether a service of which the rule counts no instance any more should have some."""
        if self.only is not None or not rule.may_mean(self.cluster.name, said.service):
            return False
        limit = timezone.now() - FORGOTTEN_AFTER
        if not everything or said.status == Status.PASSING or said.since > limit:
            return True
        gone = Check.objects.filter(cluster=self.cluster, service=said.service)
        return gone.filter(status=Status.GONE, since__gt=limit).exists()


def _observation(rule: Rule, service: str, verdict: Verdict) -> Observation:
    return Observation(
        node="",
        check_id=check_id(rule.pk, service),
        name=rule.name,
        service_id="",
        service=service,
        tags=(),
        status=rule.status if verdict.broken else Status.PASSING,
        output=verdict.words,
        notes="",
        modify_index=0,
    )


def _differs(observation: Observation, stored: Said | None) -> bool:
    return stored is None or (observation.status, observation.output, observation.name) != (
        stored.status,
        stored.output,
        stored.name,
    )


def _no_fence() -> None:
    """The caller's transaction has proved its lease, or is a person's."""

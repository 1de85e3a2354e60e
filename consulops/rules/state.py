"""What rules say now, for the pages: what they have said, and what an unsaved one would say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from consulops.clusters.models import Cluster
from consulops.core.status import Status
from consulops.health.models import Check
from consulops.rules.counting import Rule, count, find, services_of
from consulops.rules.evaluation import living_checks, rule_of
from consulops.rules.models import ServiceRule
from consulops.rules.verdict import Measure, Verdict, judge

SHOWN = 5
PREVIEWED = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One rule with the checks that say how its services fare, worst first."""

    rule: ServiceRule
    checks: list[Check]

    @property
    def measure(self) -> str:
        """What it demands, in words."""
        rule = self.rule
        return str(Measure(rule.least_passing, rule.least_percent))

    @property
    def matchers(self) -> list[tuple[str, str]]:
        """Name and expression of each matcher."""
        found = []
        for name, value in self.rule.match.items():
            label = name.replace("_", " ")
            if isinstance(value, dict):
                found += [(f"{label} {key}", pattern) for key, pattern in value.items()]
            else:
                found.append((label, value))
        return found

    @property
    def broken(self) -> list[Check]:
        """The services that break it."""
        return [check for check in self.checks if check.status != Status.PASSING]

    @property
    def shown(self) -> list[Check]:
        """The first of these; the page names no more."""
        return self.broken[:SHOWN]


def rows(rules: Iterable[ServiceRule]) -> list[Row]:
    """The rules, those that are broken first."""
    checks: defaultdict[int, list[Check]] = defaultdict(list)
    for check in living_checks():
        checks[rule_of(check.check_id)].append(check)
    found = [Row(rule, checks[rule.pk]) for rule in rules]
    return sorted(found, key=lambda row: (not row.broken, row.rule.name))


@dataclass(frozen=True, slots=True)
class Example:
    """What an unsaved rule would say of one service."""

    cluster: str
    service: str
    status: Status
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Preview:
    """How many services a rule would judge, how many would break it, and the worst of them."""

    services: int
    broken: int
    # Services of which nothing can be said before the meta of their instances has been read.
    unclear: int
    examples: list[Example]


def preview(row: ServiceRule) -> Preview:
    """Judges every service that there is by an unsaved rule. Raises BadMatch."""
    rule = Rule.of(row)
    found: list[Example] = []
    unclear = 0
    for cluster in Cluster.objects.filter(enabled=True):
        names = {one for one in services_of(cluster) if rule.may_mean(cluster.name, one)}
        counted = count(rule, find(cluster, names, [rule]))
        unclear += len(counted.unclear)
        for service, instances in counted.services.items():
            verdict = judge(rule.measure, instances)
            status = rule.status if verdict.broken else Status.PASSING
            found.append(Example(cluster.name, service, status, verdict))
    found.sort(key=lambda one: (not one.verdict.broken, one.cluster, one.service))
    broken = sum(one.verdict.broken for one in found)
    return Preview(len(found), broken, unclear, found[:PREVIEWED])

"""Service rules in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from pydantic import Field

from consulops.api.configuration.items import NamedItem
from consulops.api.configuration.section import Change, Place, Section, Task
from consulops.core.status import FAILING
from consulops.health.matching import BadMatch
from consulops.rules.counting import MATCHERS
from consulops.rules.models import ServiceRule
from consulops.rules.services import RULE_FIELDS, delete_rule, save_rule

_STATUSES = tuple(status.value for status in FAILING)


class RuleItem(NamedItem):
    """A service rule; either `least_passing` or `least_percent` has to be there."""

    enabled: bool = True
    match: dict[str, Any] = {}
    least_passing: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    least_percent: Annotated[int, Field(ge=1, le=100)] | None = None
    warning_passes: bool = True
    status: Literal[_STATUSES] = _STATUSES[0]  # type: ignore[valid-type]


class ServiceRules(Section):
    name = "service_rules"
    form = RuleItem

    def apply(self, task: Task, place: Place, item: RuleItem) -> Iterator[Change]:
        found = ServiceRule.objects.filter(name=item.name).first()
        values = item.model_dump(exclude={"name"})
        try:
            _, changed = save_rule(task.actor, item.name, values, found)
        except BadMatch as error:
            task.wrong((*place, "match", error.path), error.text)
        except ValidationError as error:
            task.invalid(place, error)
        else:
            yield Change.of(found is None, "service rule", item.name, changed)

    def finish(self, task: Task) -> Iterator[Change]:
        """Removes the rules that the file does not have."""
        if not task.prune:
            return
        for rule in ServiceRule.objects.exclude(name__in=task.document.names[self.name]):
            delete_rule(task.actor, rule)
            yield Change("removed", "service rule", rule.name)

    def export(self, secrets: bool) -> Iterator[RuleItem]:
        for rule in ServiceRule.objects.all():
            values: dict[str, Any] = {name: getattr(rule, name) for name in RULE_FIELDS}
            # PostgreSQL does not keep their order.
            values["match"] = {name: rule.match[name] for name in MATCHERS if name in rule.match}
            yield RuleItem(name=rule.name, **values)

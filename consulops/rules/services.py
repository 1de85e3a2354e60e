"""Every write to service rules; what follows for alerts is written in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.core import postgres
from consulops.live.services import publish
from consulops.rules import evaluation
from consulops.rules.counting import Rule, compiled
from consulops.rules.models import ServiceRule

RULE_FIELDS = (*("enabled", "match", "least_passing", "least_percent", "warning_passes", "status"),)
ONE_MEASURE = "Give either a number of instances or a percentage, not both."


def save_rule(
    actor: Actor, name: str, values: Mapping[str, Any], rule: ServiceRule | None = None
) -> tuple[ServiceRule, list[str]]:
    """Makes or changes a rule; returns it and the names of what changed ("created" for a new one).

    `values` may hold any of RULE_FIELDS. Services that break it now are alerts at once. Raises
    BadMatch and ValidationError, and then nothing has changed.
    """
    compiled(values.get("match", rule.match if rule else {}))
    with transaction.atomic():
        before = _snapshot(rule)
        is_new = rule is None
        rule = rule or ServiceRule()
        rule.name = name
        for field in RULE_FIELDS:
            if field in values:
                setattr(rule, field, values[field])
        validate(rule)
        rule.save()
        changes = changed_fields(before, _snapshot(rule), frozenset())
        if changes:
            record(actor, "rule.created" if is_new else "rule.updated", rule, {"changed": changes})
            evaluation.look_anew(Rule.of(rule) if rule.enabled else None, rule.pk)
            _tell()
    return rule, ["created"] if is_new else list(changes)


def validate(rule: ServiceRule) -> None:
    """Says what is wrong with a rule by its fields. Raises ValidationError."""
    if (rule.least_passing is None) == (rule.least_percent is None):
        raise ValidationError({NON_FIELD_ERRORS: [ONE_MEASURE]})
    rule.full_clean()


def delete_rule(actor: Actor, rule: ServiceRule) -> None:
    """Removes a rule; what it says is over, and its alerts with it."""
    with transaction.atomic():
        record(actor, "rule.deleted", rule, {})
        pk = rule.pk
        rule.delete()
        evaluation.look_anew(None, pk)
        _tell()


def _snapshot(rule: ServiceRule | None) -> dict[str, Any]:
    if rule is None or rule.pk is None:
        return {}
    return {field: getattr(rule, field) for field in ("name", *RULE_FIELDS)}


def _tell() -> None:
    """Wakes the supervisors, since a rule may need the meta of instances, and the open pages."""
    postgres.notify(postgres.LOOPS)
    publish("rules")

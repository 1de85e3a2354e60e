"""Service rules in the file of `apply` and `export`."""

from __future__ import annotations

import pytest
import yaml

from consulops.api.configuration.applying import apply
from consulops.api.configuration.document import parse
from consulops.api.configuration.exporting import export
from consulops.api.configuration.problems import BadFile
from consulops.api.configuration.sections import FORMS
from consulops.rules.models import ServiceRule
from tests.alerts.factories import TEST, make_cluster
from tests.rules.things import make_rule, open_alerts, run_instances

pytestmark = pytest.mark.django_db

RULE = {
    "name": "web",
    "match": {"service": "web", "service_meta": {"team": "pay"}},
    "least_percent": 50,
    "warning_passes": False,
    "status": "warning",
}


def applied(*rules: object, prune: bool = False) -> list[str]:
    document = parse({"service_rules": list(rules)}, FORMS)
    return [str(change) for change in apply(TEST, document, prune=prune, dry_run=False)]


def test_a_file_is_applied_once_and_exported_as_it_was() -> None:
    assert applied(RULE) == ["created service rule web"]
    assert applied(RULE) == ["unchanged service rule web"]
    assert yaml.safe_load(export(secrets=False))["service_rules"] == [RULE]


def test_from_percent_to_a_number() -> None:
    applied(RULE)
    other = {**RULE, "least_passing": 2}
    del other["least_percent"]
    assert applied(other) == ["changed service rule web (least_passing, least_percent)"]


def test_prune_removes_rules_and_their_alerts() -> None:
    run_instances(make_cluster(), 1)
    make_rule("old")
    assert len(open_alerts()) == 1
    assert applied(RULE) == ["created service rule web"]
    assert "removed service rule old" in applied(RULE, prune=True)
    assert open_alerts() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"match": {"service": "("}}, "service_rules[0].match.service: no regular expression"),
        ({"match": {"check": "x"}}, "service_rules[0].match.check: a service rule has no such"),
        ({"least_passing": 2}, "service_rules[0]: Give either a number"),
        ({"least_percent": None}, "service_rules[0]: Give either a number"),
        ({"least_percent": 101}, "service_rules[0].least_percent: "),
        ({"status": "passing"}, "service_rules[0].status: "),
    ],
)
def test_mistakes_have_their_place(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(BadFile) as caught:
        applied({**RULE, **wrong})
    assert caught.value.problems[0].startswith(said)
    assert not ServiceRule.objects.exists()

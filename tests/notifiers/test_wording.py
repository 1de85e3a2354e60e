"""Templates of people: what they can say, and that no template can hurt anybody."""

from __future__ import annotations

import dataclasses
import logging
import re

import pytest
from django.conf import settings

from consulops.notifiers import samples, sandbox
from consulops.notifiers.base import AlertFacts, BlockingKind
from consulops.notifiers.filters import FILTERS
from consulops.notifiers.kinds.http import Http
from consulops.notifiers.kinds.slack import Slack
from consulops.notifiers.wording import NAMES, PLAIN, BadTemplate, Wording, render
from tests.notifiers.harness import facts, message

TWO = message(
    facts(node="n2", status="warning", output='say "hi" & <b>\nsecond line'),
    facts(),
)


def looped(inside: str) -> str:
    """A million turns."""
    start = "{% for x in range(1000) %}"
    return start * 2 + inside + "{% endfor %}" * 2


def doubled(first: str, more: str) -> str:
    """Ninety times twice as much."""
    turn = "{% for i in range(90) %}{% set n.x = " + more + " %}{% endfor %}"
    return "{% set n = namespace(x=" + first + ") %}" + turn


def said(template: str) -> str:
    return render(template, TWO)


def refusal(template: str) -> str:
    with pytest.raises(BadTemplate) as caught:
        said(template)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ title }}: {{ counts }}", "2 alerts in dc1: 1 critical, 1 warning"),
        ("{{ cluster }} {{ route }} {{ reason }}", "dc1 everything opened"),
        ("{{ alert.title }}", "CRITICAL web on n1: HTTP"),
        ("{{ alerts|map(attribute='node')|join(', ') }}", "n1, n2"),
        ("{% for a in alerts if a.status == 'warning' %}{{ a.node }}{% endfor %}", "n2"),
        ("{% for n, l in alerts|groupby('node') %}{{ n }}{{ l|count }} {% endfor %}", "n11 n21 "),
        ("{{ (alerts|groupby('node'))[0].grouper }}", "n1"),
        ("{{ alert.since|date('%d.%m.%Y %H:%M', 'Europe/Berlin') }}", "01.01.2026 01:00"),
        ("{{ alert.since|date }}", "2026-01-01 00:00:00 UTC"),
        ("{{ alert.since }}", "2026-01-01T00:00:00+00:00"),
        ("{{ alert.tags }}", "blue, v2"),
        ("{{ alerts[1].output|excerpt(8) }}", 'say "hi…'),
        ("{{ alerts[1].output|e }}", "say &quot;hi&quot; &amp; &lt;b&gt;\nsecond line"),
        ("{{ alerts[1].output|tojson }}", '"say \\"hi\\" & <b>\\nsecond line"'),
        ("{{ [alert.since, 1]|tojson }}", '["2026-01-01T00:00:00.123Z", 1]'),
        ("{{ alert.node.upper() ~ '-' ~ (alert.id + 1) }}", "N1-13"),
        ("{{ 7 // 2 }} {{ 2 ** 3 }} {{ 7 % 4 }} {{ '=' * 3 }} {{ 'a' in 'b' }}", "3 8 3 === False"),
        ("{{ alert.output|replace('refused', 'denied')|indent(2, true) }}", "  connection denied"),
        ("{{ alerts|sum(attribute='id') }} {{ 2.567|round(1) }}", "24 2.6"),
        ("{{ missing|default('none') }}", "none"),
        (
            "{% set all = namespace(n=0) %}{% for a in alerts %}{% set all.n = all.n + a.id %}"
            "{% endfor %}{{ all.n }}",
            "24",
        ),
        ("{% macro m(a) %}<{{ a.node }}>{% endmacro %}{{ m(alert) }}", "<n1>"),
        ("{% filter upper %}x{{ alert.node }}{% endfilter %}", "XN1"),
        ("{% if alert.service in ('web', 'api') %}yes{% endif %}", "yes"),
        ("one\n", "one\n"),
    ],
)  # fmt: skip
def test_what_templates_can_say(template: str, text: str) -> None:
    assert said(template) == text


@pytest.mark.parametrize("name", ["alert", "message"])
def test_facts_as_json_are_those_of_the_webhook(name: str) -> None:
    made = said(f"{{{{ {name}|tojson }}}}")
    assert '"since": "2026-01-01T00:00:00.123Z"' in made


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("ok\n{{ nodes }}", "Line 2: 'nodes' is undefined; there are alerts, alert, cluster"),
        ("\n\n{{ alert.nod }}", "Line 3: An alert has no attribute 'nod'."),
        ("{% if %}", "Line 1: Expected an expression"),
        ("a\n{% for x in alerts %}", "Line 2: Unexpected end of template"),
        ("{{ alert|shout }}", "Line 1: No filter named 'shout'."),
        ("{{ 1 / 0 }}", "Line 1: ZeroDivisionError: division by zero."),
        ("{{ alerts[7].node }}", "Line 1: List object has no element 7."),
        ("{% include 'x' %}", "no loader"),
        ("{{ alert }}", "Line 1: Alert is no text; name one of its fields, such as alert.title."),
        ("{{ alerts }}", "A list of things is no text"),
        ("{{ alert.incident_key }}", "write () behind its name"),
        ("{{ alert.since|date('%H', 'Mars/Base') }}", "there is no time zone 'Mars/Base'"),
    ],
)
def test_errors_name_the_line_and_the_reason(template: str, text: str) -> None:
    assert text.lower() in refusal(template).lower()


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ alert.__init__.__globals__ }}",
        "{{ alert['__class__'] }}",
        "{{ alerts|map(attribute='__class__')|list }}",
        "{{ 'x'|attr('__class__') }}",
        "{{ self.__dict__ }}",
        "{{ message.to_dict.__func__ }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler }}",
        "{{ range.__self__ }}",
        "{% set alert.node = 'x' %}",
        "{{ alerts.append(1) }}",
    ],
)
def test_the_inside_is_out_of_reach(template: str) -> None:
    refusal(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' * 10**9 }}",
        "{{ [1] * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ 10 ** (10 ** 9) }}",
        "{{ 2**1000 * 2**1000 }}",
        "{{ ('9' * 4000)|int * ('9' * 4000)|int }}",
        "{{ 5|round(-1000000000) }}",
        "{{ range(10**9)|list }}",
        "{{ 'x'.center(10**9) }}",
        "{{ 'x'.ljust(10**9) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ 'x'|indent(1000000000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ '{x:1000000000}'.format_map({'x': 1}) }}",
        "{{ (1).to_bytes(1000000000, 'big') }}",
        "{{ lipsum(100000) }}",
        "{{ 'a'|replace('', 'b' * 500000)|replace('', 'c' * 900000) }}",
        "{{ (['x' * 100000] * 9)|join('y' * 900000) }}",
        doubled("'ab'", "n.x ~ n.x"),
        doubled("'ab'", "n.x + n.x"),
        doubled("[1]", "[n.x, n.x]"),
        doubled("[1]", "(n.x, n.x)"),
        doubled("1", "{1: n.x, 2: n.x}"),
        doubled("[1]", "n.x + n.x"),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(n) %}{% set x = n and [m(n - 1), m(n - 1)] %}{% endmacro %}{{ m(90) }}",
        "{% for x in [alerts] recursive %}{{ loop([x]) }}{% endfor %}",
        looped("{% for c in range(1000) %}{% endfor %}"),
        looped("{{ 'x' * 1000 }}"),
        looped("x" * 1000),
        "{% set s %}" + looped("x" * 1000) + "{% endset %}",
        "{% set s %}" + looped("{{ 'x' * 9000 }}") + "{% endset %}",
        "{% macro m() %}" + "x" * 9000 + "{% endmacro %}" + looped("{% set s = m() %}"),
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ 1" + " + 1" * 4000 + " }}",
        "{% for a in alerts %}" * 60 + "{% endfor %}" * 60,
        "x" * (sandbox.LONGEST_TEMPLATE + 1),
    ],
)  # fmt: skip
def test_no_template_takes_for_ever_or_all_the_memory(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MOST_CPU_S", 0.1)
    refusal(template)


def test_constants_are_not_computed_when_a_template_is_compiled() -> None:
    """Folded by the compiler, this would be made before anything is bounded."""
    assert said("{% if false %}{{ 'x' * 10**12 }}{{ 'x'|indent(10**12) }}{% endif %}ok") == "ok"


def test_budget_is_of_one_rendering() -> None:
    for _ in range(9):
        assert len(said("{{ 'x' * 999000 }}")) == 999_000


def test_message_of_thousands_of_alerts_is_no_problem() -> None:
    large = message(*(facts(id=number, node=f"n{number}") for number in range(5000)))
    template = (
        "{% for a in alerts %}{{ a.title }} since {{ a.since|date }}: {{ a.output }}\n{% endfor %}"
    )
    assert render(template, large).count("\n") == 5000


def test_own_words_and_the_default() -> None:
    assert PLAIN.subject_of(TWO, "default") == "default"
    wording = Wording("{{ cluster }}\n {{ counts }}", "{{ alert.node }}")
    assert wording.subject_of(TWO, "default") == "dc1 1 critical, 1 warning"
    assert wording.body_of(TWO, "default") == "n1"


def test_template_that_fails_at_night_falls_back(caplog: pytest.LogCaptureFixture) -> None:
    wording = Wording("{{ alerts[1].node }}", "{{ alerts[1].node }}")
    with caplog.at_level(logging.WARNING):
        assert wording.subject_of(message(), "default") == "default"
        assert wording.body_of(message(), "default") == "default"
    assert "List object has no element 1" in caplog.text


def test_templates_are_tried_on_every_sample() -> None:
    found = samples.problems(Slack, {}, Wording("{{ alerts[1].node }}", "{{ alert.tags[0] }}"))
    assert found["subject_template"] == [
        "Line 1: List object has no element 1. (Tried with: one alert.)"
    ]
    assert "a node's check without output" in found["body_template"][0]


def test_good_and_absent_templates_have_no_problem() -> None:
    assert samples.problems(Slack, {}, Wording("{{ title }}", " \n")) == {}


def test_kind_without_templates_takes_none() -> None:
    found = samples.problems(BlockingKind, {}, Wording("{{ title }}", "x"))
    assert "takes no subject template" in found["subject_template"][0]
    assert "takes no body template" in found["body_template"][0]


DOCS = (settings.BASE_DIR / "docs" / "notifiers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("template", re.findall(r"```jinja\n(.*?)```", DOCS, re.DOTALL))
def test_examples_of_the_docs_work(template: str) -> None:
    kind = Http if template.startswith("{\n") else Slack
    config = {"content_type": "application/json"}
    assert samples.problems(kind, config, Wording(body=template)) == {}


def test_docs_name_every_filter_and_every_fact() -> None:
    facts_of_alert = [field.name for field in dataclasses.fields(AlertFacts)]
    for name in [*FILTERS, *facts_of_alert, *NAMES]:
        assert re.search(rf"\b{name}\b", DOCS), name

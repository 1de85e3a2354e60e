"""The fields of matchers, as any form has them."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms

from consulops.health.matcher_forms import MatcherFields

BOTH = ["critical", "warning"]


class Form(MatcherFields, forms.Form):
    def __init__(self, *args: Any, begun: dict[str, Any] | None = None, **names: Any) -> None:
        super().__init__(*args)
        self.add_matchers(begun or {}, **names)

    def clean(self) -> None:
        self.try_matchers()


def filled(begun: dict[str, Any] | None = None, **values: Any) -> Form:
    return Form({"match_status": BOTH, **values}, begun=begun)


def test_what_is_typed_becomes_matchers_and_what_is_empty_is_left_out() -> None:
    form = filled(
        match_service="web-.*",
        match_tag=" spaced ",
        match_node_meta="\n rack : r[12]:x \n\nzone: a",
        match_status=["warning"],
    )
    assert form.is_valid()
    assert form.match() == {
        "service": "web-.*",
        "tag": " spaced ",
        "node_meta": {"rack": "r[12]:x", "zone": "a"},
        "status": ["warning"],
    }


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"cluster": "dc1", "name": "Disk"},
        {"service_meta": {"team": "a: b"}, "status": ["critical"]},
        {"service": "web", "status": BOTH},
    ],
)
def test_what_is_shown_is_saved_as_it_was(match: dict[str, Any]) -> None:
    shown = Form(begun=match)
    data = {shown.add_prefix(name): shown[name].value() for name in shown.fields}
    assert data["match_status"] == match.get("status", BOTH)
    form = Form(data, begun=match)
    assert form.is_valid()
    assert form.match() == match


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"match_service": "("}, "match_service", "No regular expression"),
        ({"match_output": "x" * 1001}, "match_output", "at most 1000"),
        ({"match_node_meta": "rack: ("}, "match_node_meta", "No regular expression"),
        ({"match_node_meta": ": r1"}, "match_node_meta", "Line 1: write it as key: expression."),
        ({"match_service_meta": "a: b\n\na: c"}, "match_service_meta", "Line 3: a stands twice."),
        ({"match_status": []}, "match_status", "Tick at least one."),
        ({"match_status": ["passing"]}, "match_status", "Select a valid choice"),
    ],
)
def test_a_mistake_stands_once_beside_its_field(
    values: dict[str, Any], field: str, said: str
) -> None:
    form = filled(match_cluster="dc1", **values)
    assert list(form.errors) == [field]
    (text,) = form.errors[field]
    assert said in text
    assert form.wrong_matchers() == [(str(form[field].label), text)]


def test_what_few_need_is_folded_away_until_it_is_used_or_wrong() -> None:
    assert not filled(match_service="web", match_service_id="web-1").uses_others()
    assert not Form(begun={"check": "disk"}).uses_others()
    assert filled(match_tag="blue").uses_others()
    assert Form(begun={"service_meta": {"team": "pay"}}).uses_others()
    assert filled(match_service_meta="no colon").uses_others()


def test_a_form_may_have_some_of_them_only() -> None:
    form = Form(
        {"match_service": "web", "match_output": ".*", "match_status": ["warning"]},
        names=("service", "cluster", "tag"),
    )
    assert [field.name for field in form.common_matchers()] == ["match_cluster", "match_service"]
    assert [field.name for field in form.other_matchers()] == ["match_tag"]
    assert form.is_valid()
    assert form.match() == {"service": "web"}

"""The pages of service rules: what they say, who may change what, and the form."""

from __future__ import annotations

import pytest
from django.test import Client

from consulops.clusters.models import Cluster
from consulops.rules.models import ServiceRule
from tests.alerts.factories import make_cluster
from tests.health.things import rows_of, text_of
from tests.rules.things import break_instance, make_rule, open_alerts, run_instances

pytestmark = pytest.mark.django_db

FILLED = {
    "name": "enough web",
    "enabled": "on",
    "match_service": "web",
    "least": "3",
    "unit": "number",
    "status": "critical",
    "warning_passes": "on",
}


@pytest.fixture
def cluster() -> Cluster:
    cluster = make_cluster()
    run_instances(cluster)
    return cluster


def test_the_list_says_how_services_fare(as_viewer: Client, cluster: Cluster) -> None:
    make_rule("web rule")
    make_rule("calm", match={"service": "web"}, least_passing=1)
    break_instance(cluster, 1)
    break_instance(cluster, 2)
    text = text_of(as_viewer, "/rules/")
    assert "2 of 4 instances pass; at least 3 must" in text
    assert text.index("<b>web rule</b>") < text.index("<b>calm</b>")
    assert rows_of(as_viewer, "/rules/")[0]["broken"] == ["dc1/web"]


def test_csv(as_viewer: Client, cluster: Cluster) -> None:
    make_rule()
    answer = as_viewer.get("/rules/?format=csv")
    assert answer.getvalue().decode().splitlines()[0].startswith("name,enabled,match")


def test_an_empty_list(as_viewer: Client, as_admin: Client) -> None:
    assert "/rules/new/" not in text_of(as_viewer, "/rules/")
    assert "/rules/new/" in text_of(as_admin, "/rules/")


@pytest.mark.parametrize("address", ["/rules/new/", "/rules/{}/", "/rules/{}/delete/"])
def test_only_admins_change_rules(as_operator: Client, address: str) -> None:
    rule = make_rule()
    assert as_operator.post(address.format(rule.pk), FILLED).status_code == 403
    assert ServiceRule.objects.get().name == "enough"


def test_a_new_rule(as_admin: Client, cluster: Cluster) -> None:
    meta = {"match_service_meta": "team: pay|shop\n tier: 1"}
    assert as_admin.post("/rules/new/", {**FILLED, **meta}).status_code == 302
    rule = ServiceRule.objects.get()
    assert rule.match == {"service": "web", "service_meta": {"team": "pay|shop", "tier": "1"}}
    assert (rule.least_passing, rule.least_percent) == (3, None)


def test_a_rule_in_percent_and_back(as_admin: Client, cluster: Cluster) -> None:
    rule = make_rule(least_percent=80)
    text = text_of(as_admin, f"/rules/{rule.pk}/")
    assert 'value="80"' in text
    (chosen,) = [tag for tag in text.split("<input") if 'value="percent"' in tag]
    assert "checked" in chosen.partition(">")[0]
    as_admin.post(f"/rules/{rule.pk}/", {**FILLED, "least": "5"})
    rule.refresh_from_db()
    assert (rule.least_passing, rule.least_percent) == (5, None)
    assert len(open_alerts()) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"match_service": "("}, "No regular expression"),
        ({"least": "0"}, "greater than or equal to 1"),
        ({"least": "101", "unit": "percent"}, "At most 100 %"),
        ({"match_node_meta": "zone"}, "Line 1: write it as key: expression."),
        ({"match_node_meta": "a: 1\na: 2"}, "Line 2: a stands twice."),
        ({"match_node_meta": "a: ("}, "No regular expression"),
        ({"name": ""}, "required"),
        ({"status": "passing"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_saved(as_admin: Client, wrong: dict[str, str], said: str) -> None:
    answer = as_admin.post("/rules/new/", {**FILLED, **wrong})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not ServiceRule.objects.exists()


def test_a_name_is_taken_once(as_admin: Client) -> None:
    make_rule("enough web")
    answer = as_admin.post("/rules/new/", FILLED)
    assert "already exists" in answer.content.decode()


def test_the_preview_says_what_the_rule_would_say(as_admin: Client, cluster: Cluster) -> None:
    break_instance(cluster, 1)
    break_instance(cluster, 2)
    answer = as_admin.post("/rules/preview/", FILLED)
    text = answer.content.decode()
    assert "1 of 1 service would be an alert" in text
    assert "2 of 4 instances pass" in text
    assert not ServiceRule.objects.exists()
    assert open_alerts() == []


def test_the_preview_as_a_fragment_names_what_is_wrong(as_admin: Client) -> None:
    answer = as_admin.post(
        "/rules/preview/", {**FILLED, "match_tag": "["}, headers={"HX-Request": "true"}
    )
    text = answer.content.decode()
    assert "Mend these first" in text
    assert "<html" not in text


def test_the_preview_says_that_meta_is_missing(as_admin: Client, cluster: Cluster) -> None:
    answer = as_admin.post("/rules/preview/", {**FILLED, "match_service_meta": "team: pay"})
    assert "Of 1 more nothing is known yet" in answer.content.decode()


def test_delete(as_admin: Client, cluster: Cluster) -> None:
    rule = make_rule(least_passing=9)
    assert len(open_alerts()) == 1
    assert as_admin.post(f"/rules/{rule.pk}/delete/").status_code == 302
    assert open_alerts() == []


def test_odd_names_are_shown_as_text(as_viewer: Client, cluster: Cluster) -> None:
    odd = "<script>alert(1)</script>"
    make_rule(odd, match={"service": "web|<b>"})
    text = text_of(as_viewer, "/rules/")
    assert odd not in text
    assert "web|&lt;b&gt;" in text

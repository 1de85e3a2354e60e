"""Rules open alerts and close them, in the transaction that records what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Alert, Delivery
from consulops.clusters.models import Cluster
from consulops.health.models import Check, Instance, Node, Source
from consulops.rules.evaluation import look
from consulops.rules.services import delete_rule, save_rule
from tests.alerts.factories import TEST, make_cluster, make_notifier, make_route, see
from tests.rules.things import (
    break_instance,
    instance,
    make_rule,
    node_check,
    open_alerts,
    run_instances,
    verdicts,
)

pytestmark = pytest.mark.django_db


def look_at(cluster: Cluster) -> None:
    look(cluster, lambda: None)


@pytest.fixture
def cluster() -> Cluster:
    return make_cluster()


def test_a_broken_rule_opens_an_alert_that_heals(cluster: Cluster) -> None:
    run_instances(cluster)
    rule = make_rule()
    break_instance(cluster, 1)
    assert verdicts() == [
        ("passing", "3 of 4 instances pass; at least 3 must: n1/web-1 critical (HTTP)")
    ]
    assert open_alerts() == []
    break_instance(cluster, 2)
    assert open_alerts() == [f"consulops:rule:{rule.pk}:web"]
    alert = Alert.objects.get(check_ref__source=Source.RULE)
    assert (alert.check_ref.node, alert.check_ref.service, alert.label) == ("", "web", "enough")
    assert "2 of 4 instances pass" in alert.check_ref.output
    break_instance(cluster, 2, "passing")
    assert open_alerts() == []


def test_the_alert_is_told_like_any_other(cluster: Cluster) -> None:
    route = make_route(make_notifier(), match={"check": "consulops:rule:.*"})
    run_instances(cluster, 3)
    make_rule(status="warning")
    break_instance(cluster, 1)
    (told,) = Delivery.objects.get(route_name=route.name).message["alerts"]
    assert (told["status"], told["service"], told["name"]) == ("warning", "web", "enough")


def test_a_node_that_is_down_takes_its_instances_along(cluster: Cluster) -> None:
    run_instances(cluster, 3)
    see(cluster, node_check(1, "passing"))
    make_rule()
    see(cluster, node_check(1, "critical"))
    ((status, words),) = verdicts()
    assert status == "critical"
    assert words.endswith("n1/web-1 critical (Serf)")
    see(cluster, node_check(1, "passing"))
    assert verdicts()[0][0] == "passing"


@pytest.mark.parametrize("number", [0, 1], ids=["service", "node"])
def test_maintenance_is_not_passing(cluster: Cluster, number: int) -> None:
    run_instances(cluster, 3)
    make_rule()
    resting = (
        instance(1, "maintenance", service_id="web-1"),
        node_check(1, "maintenance", "_node_maintenance"),
    )
    see(cluster, resting[number])
    ((status, words),) = verdicts()
    assert (status, words.rpartition(": ")[2]) == ("critical", "n1/web-1 in maintenance")


def test_maintenance_wins_over_a_warning(cluster: Cluster) -> None:
    run_instances(cluster, 3)
    make_rule()
    see(cluster, instance(1, "warning"), node_check(1, "maintenance", "_node_maintenance"))
    assert verdicts()[0][1].endswith("n1/web-1 in maintenance")


def test_an_instance_is_as_bad_as_its_worst_check(cluster: Cluster) -> None:
    run_instances(cluster, 3)
    make_rule()
    disk = replace(instance(1, "critical", name="Disk"), check_id="web-1-disk")
    see(cluster, instance(1, "warning"), disk)
    assert verdicts()[0][1].endswith("n1/web-1 critical (Disk)")


def test_each_service_is_judged_on_its_own(cluster: Cluster) -> None:
    run_instances(cluster, 2, "web-a")
    run_instances(cluster, 2, "web-b")
    make_rule(match={"service": "web-.*"}, least_passing=2)
    break_instance(cluster, 1, service="web-b")
    assert [status for status, _ in verdicts("web-a") + verdicts("web-b")] == [
        "passing",
        "critical",
    ]


def test_each_cluster_is_judged_on_its_own(cluster: Cluster) -> None:
    other = make_cluster("dc2")
    run_instances(cluster, 3)
    run_instances(other, 3)
    make_rule(match={"service": "web", "cluster": "dc1"})
    break_instance(other, 1)
    assert open_alerts() == []
    break_instance(cluster, 1)
    assert len(open_alerts()) == 1


def test_a_service_that_lost_all_instances_breaks_its_rule(cluster: Cluster) -> None:
    run_instances(cluster, 1)
    make_rule(least_passing=1)
    see(cluster, gone=(("n1", "web-1-http"),))
    assert verdicts() == [("critical", "No instance is left; at least 1 must pass.")]
    look_at(cluster)
    assert len(open_alerts()) == 1
    run_instances(cluster, 1)
    look_at(cluster)
    assert open_alerts() == []


def test_a_service_that_is_away_for_long_is_forgotten(cluster: Cluster) -> None:
    run_instances(cluster, 1)
    make_rule(least_passing=1)
    see(cluster, gone=(("n1", "web-1-http"),))
    Check.every.update(since=timezone.now() - timedelta(days=8))
    look_at(cluster)
    assert (verdicts(), open_alerts()) == ([("gone", "")], [])


def test_a_rule_that_finds_no_service_says_nothing(cluster: Cluster) -> None:
    make_rule()
    look_at(cluster)
    break_instance(cluster, 1, service="other")
    assert not Check.every.filter(source=Source.RULE).exists()


def test_a_new_instance_is_seen_by_the_next_look(cluster: Cluster) -> None:
    run_instances(cluster, 2)
    make_rule()
    assert len(open_alerts()) == 1
    run_instances(cluster, 3)
    look_at(cluster)
    assert open_alerts() == []


def test_a_new_rule_speaks_at_once(cluster: Cluster) -> None:
    run_instances(cluster, 2)
    make_rule()
    assert len(open_alerts()) == 1


def test_what_a_changed_rule_no_longer_means_is_over(cluster: Cluster) -> None:
    run_instances(cluster, 2, "web-a")
    run_instances(cluster, 2, "web-b")
    rule = make_rule(match={"service": "web-.*"})
    assert len(open_alerts()) == 2
    save_rule(TEST, "enough", {"match": {"service": "web-a"}}, rule)
    assert open_alerts() == [f"consulops:rule:{rule.pk}:web-a"]
    assert verdicts("web-b") == [("gone", "")]
    look_at(cluster)
    assert verdicts("web-b") == [("gone", "")]


def test_a_rule_that_means_other_instances_now_misses_none_of_the_old(cluster: Cluster) -> None:
    see(cluster, instance(1, tags=("blue",)))
    rule = make_rule(match={"tag": "blue"}, least_passing=1)
    save_rule(TEST, "enough", {"match": {"tag": "green"}}, rule)
    look_at(cluster)
    assert (verdicts(), open_alerts()) == ([("gone", "")], [])


def test_a_changed_measure_counts_at_once(cluster: Cluster) -> None:
    run_instances(cluster, 2)
    rule = make_rule()
    values = {"least_passing": None, "least_percent": 100}
    save_rule(TEST, "all", values, rule)
    assert open_alerts() == []
    assert Check.every.get(source=Source.RULE).name == "all"


@pytest.mark.parametrize("end", ["deleted", "disabled"])
def test_without_its_rule_an_alert_is_over(cluster: Cluster, end: str) -> None:
    run_instances(cluster, 2)
    rule, other = make_rule(), make_rule("other")
    if end == "deleted":
        delete_rule(TEST, rule)
    else:
        save_rule(TEST, rule.name, {"enabled": False}, rule)
    assert open_alerts() == [f"consulops:rule:{other.pk}:web"]
    look_at(cluster)
    assert len(open_alerts()) == 1
    assert AuditEntry.objects.filter(object_type="servicerule", object_name="enough").count() == 2


def test_deleted_while_its_cluster_is_switched_off(cluster: Cluster) -> None:
    run_instances(cluster, 2)
    rule = make_rule()
    Cluster.objects.update(enabled=False)
    delete_rule(TEST, rule)
    assert open_alerts() == []


def test_a_renamed_cluster_is_not_one_that_lost_its_services(cluster: Cluster) -> None:
    run_instances(cluster, 3)
    make_rule(match={"cluster": "dc1"})
    Cluster.objects.update(name="dc9")
    look_at(Cluster.objects.get())
    assert verdicts() == [("gone", "")]


def test_instances_are_chosen_by_node_tag_and_id(cluster: Cluster) -> None:
    see(cluster, instance(1, tags=("blue",)), instance(2, tags=("green",)), instance(3))
    make_rule("tag", match={"tag": "blue"}, least_percent=100)
    make_rule("node", match={"node": "n[12]"}, least_percent=100)
    make_rule("id", match={"service_id": "web-3"}, least_percent=100)
    words = [words for _, words in verdicts()]
    assert [one.partition(" instance")[0] for one in words] == ["1 of 1", "2 of 2", "1 of 1"]


def test_instances_are_chosen_by_meta(cluster: Cluster) -> None:
    run_instances(cluster, 2)
    Node.objects.create(cluster=cluster, name="n1", meta={"zone": "a"})
    for number, team in ((1, "pay"), (2, "shop")):
        Instance.objects.create(
            cluster=cluster,
            node=f"n{number}",
            service_id=f"web-{number}",
            service="web",
            meta={"team": team},
        )
    make_rule("zone", match={"node_meta": {"zone": "a"}}, least_percent=100)
    make_rule("team", match={"service_meta": {"team": "shop"}}, least_percent=100)
    break_instance(cluster, 1)
    assert [status for status, _ in verdicts()] == ["critical", "passing"]


def test_no_verdict_before_the_meta_is_known(cluster: Cluster) -> None:
    run_instances(cluster, 1)
    make_rule(match={"service_meta": {"team": "pay"}}, least_passing=1)
    assert verdicts() == []
    row = Instance.objects.create(
        cluster=cluster, node="n1", service_id="web-1", service="web", meta={"team": "pay"}
    )
    look_at(cluster)
    assert [status for status, _ in verdicts()] == ["passing"]
    # Another instance takes its place, as in a deployment, before its meta has been read.
    see(cluster, instance(2), gone=(("n1", "web-1-http"),))
    row.delete()
    look_at(cluster)
    assert [status for status, _ in verdicts()] == ["passing"]


def test_odd_names(cluster: Cluster) -> None:
    odd = "a/b:c <b>%s é"
    see(cluster, instance(1, service=odd))
    rule = make_rule(match={}, least_passing=2)
    assert open_alerts() == [f"consulops:rule:{rule.pk}:{odd}"]


def test_nothing_is_written_when_nothing_changed(cluster: Cluster) -> None:
    run_instances(cluster, 2)
    make_rule()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        look_at(cluster)
    assert not [one for one in queries if one["sql"].startswith(("INSERT", "UPDATE"))]


def test_without_rules_a_change_costs_one_query_more(cluster: Cluster) -> None:
    run_instances(cluster)
    with CaptureQueriesContext(connection) as queries:
        break_instance(cluster, 1)
    assert len([one for one in queries if "rules_servicerule" in one["sql"]]) == 1


def test_many_failures_are_judged_in_a_few_queries(cluster: Cluster) -> None:
    """As many for two hundred services as for one hundred."""
    services = [f"service-{number}" for number in range(300)]
    for number in (1, 2):
        see(cluster, *(instance(number, service=service) for service in services))
    make_rule(match={}, least_passing=2)

    def queries(*names: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            see(cluster, *(instance(1, "critical", service=name) for name in names))
        return len(captured)

    assert queries(*services[:100]) == queries(*services[100:])
    assert len(open_alerts()) == len(services)

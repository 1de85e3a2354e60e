"""Notifiers, profiles and templates of consul-alerts become ours, or it is said why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from consulops.api.consul_alerts import gotemplates, names
from consulops.api.consul_alerts.destinations import PlannedNotifier
from consulops.api.consul_alerts.findings import Weight
from consulops.api.consul_alerts.gotemplates import Untranslatable
from consulops.api.consul_alerts.planning import Plan, plan
from consulops.notifiers.base import AlertFacts, Message
from consulops.notifiers.wording import render
from tests.consul_alerts.trees import KEYS, NOTIFIERS, as_bytes


def planned(**keys: str) -> Plan:
    """The plan for these keys; two underscores stand for a slash, one for a dash."""
    named = {key.replace("__", "/").replace("_", "-"): value for key, value in keys.items()}
    return plan(as_bytes(named), "dc1")


def of(made: Plan, name: str) -> PlannedNotifier:
    return next(one for one in made.notifiers if one.name == f"consul-alerts dc1 {name}")


def settings(name: str, **changes: str) -> dict[str, str]:
    values = {**NOTIFIERS[name], **{key.replace("_", "-"): v for key, v in changes.items()}}
    return {f"notifiers/{name}/{key}": value for key, value in values.items()}


def made_of(name: str, **changes: str) -> PlannedNotifier:
    return of(plan(as_bytes(settings(name, **changes)), "dc1"), name)


def weights(made: Plan, key: str) -> set[str]:
    return {one.weight for one in made.findings if one.key == key}


@pytest.mark.parametrize(
    ("name", "kind", "config"),
    [
        ("email", "email", {"host": "smtp.example.com", "port": 587, "security": "starttls"}),
        ("email", "email", {"sender": "alerts@example.com", "sender_name": "Consul Alerts"}),
        ("email", "email", {"recipients": ["ops@example.com", "team@example.com"]}),
        ("email", "email", {"mails": "node", "username": "alerts"}),
        ("log", "log", {"path": "consul-alerts.log", "format": "consul-alerts"}),
        ("influxdb", "influxdb", {"url": "http://influx:8086", "version": "1"}),
        ("influxdb", "influxdb", {"database": "health", "measurement": "checks"}),
        ("slack", "slack", {"channel": "#ops", "username": "consul", "icon_emoji": ":fire:"}),
        ("slack", "slack", {"icon_url": "https://example.com/icon.png", "detailed": True}),
        ("mattermost", "mattermost", {"url": "http://chat.example.com", "team": "ops"}),
        ("mattermost-webhook", "mattermost-webhook", {"channel": "ops", "username": "consul"}),
        ("pagerduty", "pagerduty", {"client": "consul"}),
        ("hipchat", "hipchat", {"room_id": "12", "sender": "consul"}),
        ("opsgenie", "opsgenie", {"product": "opsgenie"}),
        ("jsm", "opsgenie", {"product": "jsm"}),
        ("awssns", "sns", {"region": "eu-central-1"}),
        ("victorops", "victorops", {"routing_key": "ops"}),
        ("http-endpoint", "http", {"url": "https://example.com/hook", "method": "POST"}),
        ("ilert", "ilert", {"alert_key": "{{ alert.node }}:{{ alert.service }}:{{ alert.name }}"}),
    ],
)
def test_each_notifier_has_its_kind(name: str, kind: str, config: dict[str, Any]) -> None:
    made = made_of(name)
    assert made.kind == kind
    assert {key: made.config.get(key) for key in config} == config
    assert made.enabled is (name != "hipchat")


@pytest.mark.parametrize("name", NOTIFIERS)
def test_no_setting_is_forgotten(name: str) -> None:
    """Each one is in the notifier, or something is said of it."""
    unheard = plan(as_bytes({**settings(name), f"notifiers/{name}/nonsense": "x"}), "dc1")
    assert weights(unheard, f"notifiers/{name}/nonsense") == {Weight.LOST}


def test_notifiers_that_are_not_switched_on_are_made_switched_off() -> None:
    assert not made_of("slack", enabled="false").enabled
    assert not made_of("slack", enabled="").enabled


def test_the_log_is_on_unless_it_is_switched_off() -> None:
    assert of(planned(), "log").enabled
    assert of(planned(), "log").config["path"] == "consul-notifications.log"
    assert not of(planned(notifiers__log__enabled="false"), "log").enabled


@pytest.mark.parametrize(
    ("changes", "security"),
    [
        ({"port": "465"}, "tls"),
        ({"port": "25"}, "starttls"),
        ({"port": "25", "username": "", "password": ""}, "plain"),
        ({"url": "localhost", "port": "25"}, "plain"),
    ],
)
def test_how_mails_are_secured(changes: dict[str, str], security: str) -> None:
    assert made_of("email", **changes).config["security"] == security


def test_a_mails_subject_names_the_cluster_that_was_set() -> None:
    assert made_of("email", cluster_name="prod").config["subject_prefix"] == "[prod]"


def test_the_port_may_stand_with_the_server() -> None:
    made = made_of("email", url="mail:2525", port="")
    assert (made.config["host"], made.config["port"]) == ("mail", 2525)


@pytest.mark.parametrize("changes", [{"port": "many"}, {"receivers": "ops@example.com"}])
def test_a_mail_that_cannot_be_sent_is_said(changes: dict[str, str]) -> None:
    made = plan(as_bytes(settings("email", **changes)), "dc1")
    assert weights(made, "notifiers/email") == {Weight.LOST}
    assert [one.kind for one in made.notifiers] == ["log"]


def profile(**values: Any) -> str:
    return json.dumps(values)


def told_by(made: Plan) -> list[str]:
    (route,) = made.routes.values()
    return [one.removeprefix("consul-alerts dc1 ") for one in route.notifiers]


def test_without_a_profile_all_are_told_and_never_reminded() -> None:
    made = plan(as_bytes(settings("slack")), "dc1")
    assert told_by(made) == ["log", "slack"]
    assert next(iter(made.routes.values())).remind_every_s == 0


def test_a_profile_alters_a_notifier_of_its_own() -> None:
    keys = settings("slack") | {
        "notif-profiles/default": profile(
            Interval=10,
            NotifList={"slack": True},
            VarOverrides={"slack": {"channel": "#other", "icon_url": "", "detailed": False}},
        )
    }
    made = plan(as_bytes(keys), "dc1")
    assert told_by(made) == ["slack (default)"]
    altered, base = of(made, "slack (default)"), of(made, "slack")
    assert altered.config == {**base.config, "channel": "#other"}
    assert altered.secrets == base.secrets


def test_a_profile_that_lists_none_tells_all_and_alters_nothing() -> None:
    keys = settings("slack") | {
        "notif-profiles/default": profile(VarOverrides={"slack": {"channel": "#other"}})
    }
    made = plan(as_bytes(keys), "dc1")
    assert told_by(made) == ["log", "slack"]
    assert weights(made, "notif-profiles/default") == {Weight.NOTE}


def test_a_profile_that_alters_into_nonsense_tells_the_notifier_itself() -> None:
    keys = settings("slack") | {
        "notif-profiles/default": profile(
            NotifList={"slack": True}, VarOverrides={"slack": {"url": "nonsense"}}
        )
    }
    made = plan(as_bytes(keys), "dc1")
    assert told_by(made) == ["slack"]
    assert Weight.LOST in weights(made, "notif-profiles/default VarOverrides.slack")


def test_go_reads_the_words_of_a_profile_in_any_case() -> None:
    keys = {"notif-profiles/default": '{"interval": 5, "notiflist": {"log": true}}'}
    (route,) = plan(as_bytes(keys), "dc1").routes.values()
    assert (route.remind_every_s, len(route.notifiers)) == (300, 1)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{", '{"Interval": "5"}', '{"NotifList": []}', '{"Interval": 99999999999}'),
        *('{"NotifList": {"log": "yes"}}', '{"VarOverrides": 1}'),
    ],
)
def test_a_bad_profile_is_said_and_all_are_told(text: str) -> None:
    made = plan(as_bytes({"notif-profiles/default": text}), "dc1")
    assert weights(made, "notif-profiles/default") == {Weight.LOST}
    assert told_by(made) == ["log"]


def test_a_profile_that_is_not_there_is_said() -> None:
    made = plan(as_bytes({"notif-selection/hosts/n1": "absent"}), "dc1")
    assert weights(made, "notif-selection/hosts/n1") == {Weight.NOTE}


@pytest.mark.parametrize(
    ("keys", "wait_s"),
    [({}, 60), ({"checks/change-threshold": " 30\n"}, 30), ({"checks/change-threshold": "-5"}, 0)],
)
def test_thresholds(keys: dict[str, str], wait_s: int) -> None:
    (route,) = plan(as_bytes(keys), "dc1").routes.values()
    assert route.wait_s == wait_s


@pytest.mark.parametrize(
    "key",
    [
        "checks/change-thresholds",
        "checks/check//change-threshold",
        "checks/single/n1/web/change-threshold",
        "checks/blacklist/racks/r1",
        "checks/blacklist/single/n1/web",
        "notif-selection/racks/r1",
        "notifiers/slack",
        "nonsense",
    ],
)
def test_keys_that_consul_alerts_does_not_have(key: str) -> None:
    assert weights(plan({key: b"1"}, "dc1"), key) == {Weight.LOST}


def test_folders_are_no_keys() -> None:
    folders = ["checks/", "checks/blacklist/nodes/", "notif-selection/services/", "notifiers/"]
    made = plan(dict.fromkeys(folders, b""), "dc1")
    assert (weights(made, folders[1]), made.silences, len(made.routes)) == (set(), [], 1)


def test_a_value_that_is_no_text() -> None:
    assert weights(plan({"checks/enabled": b"\xff"}, "dc1"), "checks/enabled") == {Weight.LOST}


def test_all_names_fit_and_differ() -> None:
    made = plan(as_bytes(KEYS), "a-cluster-with-a-very-long-name-that-fills-sixty-characters")
    found = [one.name for one in made.notifiers] + list(made.routes)
    found += [one.name for one in made.handlers]
    assert len(set(found)) == len(found)
    assert max(map(len, found)) <= names.LONGEST
    assert all(name.startswith(names.first(made.cluster)) for name in found)


def test_the_same_keys_make_the_same_plan() -> None:
    one, two = plan(as_bytes(KEYS), "dc1"), plan(as_bytes(KEYS), "dc1")
    assert one.digest() == two.digest()
    assert one.digest() != plan(as_bytes(KEYS | {"checks/enabled": "false"}), "dc1").digest()


def facts(node: str, status: str, output: str) -> AlertFacts:
    return AlertFacts(
        id=1,
        url="http://localhost/alerts/1/",
        check="web-1-http",
        status=status,
        previous="passing",
        node=node,
        service="web",
        service_id="web-1",
        name="HTTP",
        output=output,
        tags=[],
        since=datetime(2026, 1, 1, tzinfo=UTC),
        cluster="dc1",
    )


MESSAGE = Message(
    "id",
    "opened",
    "dc1",
    "route",
    (facts("n1", "critical", 'say "hi" <b> & x'), facts("n2", "warning", "slow")),
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.ClusterName}} is {{ .SystemStatus }}", "prod is CRITICAL"),
        ("{{.FailCount}}/{{.WarnCount}}/{{.PassCount}}", "1/1/0"),
        ("{{if .IsCritical}}bad{{else if .IsWarning}}so{{else}}fine{{end}}", "bad"),
        ("{{if .IsPassing}}fine{{else}}not{{end}}", "not"),
        ("{{range $node, $checks := .Nodes}}{{$node}} {{len $checks}},{{end}}", "n1 1,n2 1,"),
        (
            "{{range .Nodes}}{{range .}}{{.Node}}={{.Status}};{{end}}{{end}}",
            "n1=critical;n2=warning;",
        ),
        (
            "{{range $n, $cs := .Nodes}}{{range $i, $c := $cs}}{{$i}}{{$c.Check}}{{$.ClusterName}} "
            "{{end}}{{end}}",
            "0HTTPprod 0HTTPprod ",
        ),
        ("{{range .Nodes}}\n{{range .}}- {{.CheckId}}\n{{end}}{{end}}", "\n- web-1-http\n" * 2),
        ('a  {{- /* no */ -}}  b {{ "}}" }}', "ab }}"),
        (
            '{{range .Nodes}}{{range .}}{{if eq .Status "warning"}}{{.Node}}{{end}}{{end}}{{end}}',
            "n2",
        ),
        ("{{if ne .FailCount 0}}{{not .IsCritical}}{{end}}", "False"),
        ("{% raw %} {{`{{`}} {# x #}", "{% raw %} {{ {# x #}"),
        ("", ""),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert render(gotemplates.translate(template, "prod"), MESSAGE) == text


@pytest.mark.parametrize(
    "template",
    [
        '{{printf "%s" .ClusterName}}',
        "{{.ClusterName | len}}",
        "{{.Absent}}",
        "{{.Node}}",
        "{{$x}}",
        "{{$x := 1}}",
        "{{range .Nodes}}",
        "{{end}}",
        "{{else}}",
        "{{range .ClusterName}}{{end}}",
        "{{range .Nodes}}{{else if .X}}{{end}}",
        "{{range .Nodes}}{{range .}}{{.Notes}}{{end}}{{end}}",
        '{{template "x"}}',
        "{{with .Nodes}}{{end}}",
        "{{.ClusterName",
        "{{}}",
        '{{"\\x"}}',
        "{{.}}",
    ],
)
def test_templates_without_a_counterpart(template: str) -> None:
    with pytest.raises(Untranslatable):
        gotemplates.translate(template, "prod")


def test_a_payload_is_json_and_nothing_is_escaped_for_html() -> None:
    body = made_of("http-endpoint").body_template
    said = json.loads(render(body, MESSAGE))
    assert said["text"].startswith('production is CRITICAL: n1/HTTP say "hi" <b> & x')


@pytest.mark.parametrize("payload", ["[]", "{", '{"a": 1}', '{"a": "{{.Absent}}"}'])
def test_a_payload_that_cannot_be_translated_is_said(payload: str) -> None:
    made = plan(as_bytes(settings("http-endpoint", payload=payload)), "dc1")
    assert weights(made, "notifiers/http-endpoint/payload") == {Weight.LOST}
    assert of(made, "http-endpoint").body_template == ""


def test_an_incidents_key_that_cannot_be_translated_is_said() -> None:
    made = plan(as_bytes(settings("ilert", incident_key_template="{{.Absent}}")), "dc1")
    assert weights(made, "notifiers/ilert/incident-key-template") == {Weight.LOST}
    assert not of(made, "ilert").config["alert_key"]

"""consul-alerts' addresses: its parameters and codes, without its bugs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from consulops.clusters.models import Cluster
from consulops.core import postgres
from consulops.core.status import Status
from consulops.env import Environment
from consulops.health.models import Check
from consulops.silences.models import Silence
from tests.alerts.factories import fail, make_notifier, make_route, mend, see
from tests.alerts.factories import make_cluster as watched_cluster
from tests.health.things import make_check, make_cluster, make_node_check

pytestmark = pytest.mark.django_db


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the environment says of these addresses."""

    def set_to(**values: str) -> None:
        names = {f"CONSULOPS_CONSUL_ALERTS_{name}": value for name, value in values.items()}
        monkeypatch.setattr(django_settings, "ENV", Environment(names))

    return set_to


def get(path: str, **query: str) -> tuple[int, str]:
    answer = Client().get(f"/v1/{path}", query)
    return answer.status_code, answer.content.decode()


def wildcard(**query: str) -> tuple[int, list[dict[str, str]]]:
    status, text = get("health/wildcard", **query)
    return status, json.loads(text)


def ids(**query: str) -> list[str]:
    return [one["CheckID"] for one in wildcard(**query)[1]]


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "head"])
def test_info_answers_any_method_as_its_clients_expect(method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)("/v1/info")
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer["Version"].startswith("Consul Alerts")


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (Status.PASSING, 200, "passing"),
        (Status.WARNING, 503, "warning"),
        (Status.CRITICAL, 503, "critical"),
        (Status.MAINTENANCE, 503, "critical"),
        (Status.UNKNOWN, 503, "unknown"),
    ],
)
def test_one_check_by_its_names(status: Status, code: int, word: str) -> None:
    make_check(make_cluster(), status, output="HTTP 500")
    names = {"node": "n1", "service": "web-1", "check": "web-1-http"}
    assert get("health", **names) == (code, f"status: {word}\noutput: HTTP 500\n")


def test_without_an_output_there_is_no_such_line() -> None:
    make_check(make_cluster())
    names = {"node": "n1", "service": "web-1", "check": "web-1-http"}
    assert get("health", **names) == (200, "status: passing\n")


@pytest.mark.parametrize("service", ["", "_"])
def test_a_check_of_the_node_has_no_service(service: str) -> None:
    make_node_check(make_cluster(), Status.CRITICAL)
    assert get("health", node="n1", service=service, check="serfHealth")[0] == 503


@pytest.mark.parametrize(
    "wrong", [{"node": "n2"}, {"service": "web"}, {"check": "web-1"}, {"check": ""}, {"node": ""}]
)
def test_names_are_exact_and_ids(wrong: dict[str, str]) -> None:
    make_check(make_cluster())
    names = {"node": "n1", "service": "web-1", "check": "web-1-http"} | wrong
    assert get("health", **names)[0] == 404


def test_a_check_that_was_deregistered_is_no_longer_known() -> None:
    """consul-alerts answers 503 for ever."""
    cluster = watched_cluster()
    fail(cluster)
    names = {"node": "n1", "service": "web-1", "check": "web"}
    assert get("health", **names)[0] == 503
    see(cluster, gone=(("n1", "web"),))
    assert get("health", **names)[0] == 404
    assert wildcard(**names) == (200, [])


def test_a_failure_counts_once_its_wait_is_over() -> None:
    cluster = watched_cluster()
    route = make_route(make_notifier(), wait_s=60)
    fail(cluster, status="warning")
    names = {"node": "n1", "service": "web-1", "check": "web"}
    assert get("health", **names)[0] == 200
    assert [one["Status"] for one in wildcard()[1]] == ["passing"]
    assert ids(status="warning") == []
    route.wait_s = 0
    route.save()
    assert get("health", **names) == (503, "status: warning\noutput: it is warning\n")
    assert ids(status="warning") == ["web"]


def test_while_a_worse_state_waits_the_one_that_was_told_counts() -> None:
    cluster = watched_cluster()
    route = make_route(make_notifier())
    fail(cluster, status="warning")
    route.wait_s = 60
    route.save()
    fail(cluster, status="critical")
    names = {"node": "n1", "service": "web-1", "check": "web"}
    assert get("health", **names)[1].startswith("status: warning\n")


def test_without_a_route_a_failure_counts_at_once_and_so_does_its_end() -> None:
    cluster = watched_cluster()
    fail(cluster)
    assert wildcard()[0] == 503
    mend(cluster)
    assert wildcard()[0] == 200


def some_checks() -> Cluster:
    cluster = make_cluster()
    make_check(cluster, Status.PASSING, "a", notes="see the runbook", output='say "hi" <b> & x')
    make_check(cluster, Status.WARNING, "b", node="n2")
    make_check(cluster, Status.CRITICAL, "c", service_id="web-2")
    make_node_check(cluster, Status.PASSING)
    return cluster


def test_wildcard_gives_all_that_is_known_of_a_check() -> None:
    some_checks()
    code, (row,) = wildcard(check="a")
    assert code == 200
    assert row == {
        "Node": "n1",
        "CheckID": "a",
        "Name": "HTTP of a",
        "Status": "passing",
        "Notes": "see the runbook",
        "Output": 'say "hi" <b> & x',
        "ServiceID": "web-1",
        "ServiceName": "web",
    }


def test_wildcard_is_json() -> None:
    assert Client().get("/v1/health/wildcard")["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("query", "code", "found"),
    [
        ({}, 503, ["serfHealth", "a", "c", "b"]),
        ({"node": "n2"}, 503, ["b"]),
        ({"service": "web-1"}, 503, ["a", "b"]),
        ({"service": "web"}, 200, []),
        ({"service": "_"}, 200, ["serfHealth"]),
        ({"check": "a"}, 200, ["a"]),
        ({"check": "HTTP of a"}, 200, []),
        ({"node": "n1", "service": "web-2"}, 503, ["c"]),
        ({"status": "passing"}, 200, ["serfHealth", "a"]),
        ({"status": "warning,passing"}, 503, ["serfHealth", "a", "b"]),
        ({"status": "passing, warning"}, 503, ["serfHealth", "a", "b"]),
        ({"status": "critical"}, 503, ["c"]),
        ({"status": "nonsense"}, 200, []),
        ({"alwaysOk": "true"}, 200, ["serfHealth", "a", "c", "b"]),
        ({"alwaysOk": "0", "status": "critical"}, 200, ["c"]),
    ],
)
def test_wildcard(query: dict[str, str], code: int, found: list[str]) -> None:
    some_checks()
    assert wildcard(**query)[0] == code
    assert ids(**query) == found


def test_nothing_found_is_an_empty_array() -> None:
    assert get("health/wildcard") == (200, "[]")


def test_the_blacklist_is_left_out_unless_asked_for() -> None:
    some_checks()
    Silence.objects.create(match={"check": "c"}, comment="old", author_name="ada")
    assert ids() == ["serfHealth", "a", "b"]
    assert ids(ignoreBlacklist="yes") == ["serfHealth", "a", "c", "b"]


def test_a_silence_with_an_end_is_no_blacklist() -> None:
    some_checks()
    end = timezone.now() + timedelta(hours=1)
    Silence.objects.create(match={"check": "c"}, comment="x", author_name="ada", ends_at=end)
    assert "c" in ids()


def test_of_several_clusters_the_worst_speaks_unless_one_is_named(environ: Any) -> None:
    make_check(make_cluster("one"), Status.PASSING)
    make_check(make_cluster("two"), Status.CRITICAL)
    names = {"node": "n1", "service": "web-1", "check": "web-1-http"}
    assert get("health", **names)[0] == 503
    assert get("health", **names, cluster="one")[0] == 200
    assert get("health", **names, dc="two")[0] == 503
    assert wildcard(dc="one")[0] == 200
    environ(CLUSTER="one")
    assert get("health", **names)[0] == 200
    assert get("health", **names, dc="two")[0] == 503


def test_a_datacenter_is_as_good_as_the_name_of_its_cluster() -> None:
    cluster = make_cluster("production")
    cluster.state.datacenter = "dc7"
    cluster.state.save()
    make_check(cluster, Status.CRITICAL)
    assert wildcard(dc="dc7")[0] == 503


@pytest.mark.parametrize("path", ["health", "health/wildcard"])
def test_a_cluster_that_is_not_there(path: str) -> None:
    some_checks()
    status, text = get(path, dc="nowhere")
    assert status == 404
    assert "nowhere" in text


@pytest.mark.parametrize("path", ["/v1/process/checks", "/v1/process/events"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", 200),
        (b'[{"Node": "n1"}]', 200),
        (b"", 400),
        (b"{}", 400),
        (b"[", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
    ],
)
def test_what_watch_handlers_send(path: str, body: bytes, code: int) -> None:
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post(path, data=body, content_type="application/json")
    assert answer.status_code == code


def test_a_handler_wakes_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(postgres, "notify", lambda channel, payload="": rung.append(channel))
    Client().post("/v1/process/checks", data=b"[]", content_type="application/json")
    assert rung == [postgres.LOOPS]


def test_a_body_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consulops.api.consul_alerts.views.MOST_BYTES", 10)
    answer = Client().post("/v1/process/checks", data=b"[%s]" % (b" " * 10), content_type="x/y")
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("setting", "address", "code"),
    [
        ("local", "127.0.0.1", 201),
        ("local", "127.8.0.1", 201),
        ("local", "::1", 201),
        ("local", "::ffff:127.0.0.1", 201),
        ("local", "", 201),
        ("local", "10.0.0.5", 403),
        ("local", "nonsense", 403),
        ("on", "10.0.0.5", 201),
        ("off", "127.0.0.1", 404),
    ],
)
def test_who_is_answered(environ: Any, setting: str, address: str, code: int) -> None:
    environ(API=setting)
    answer = Client(REMOTE_ADDR=address).get("/v1/info")
    assert answer.status_code == code


def test_only_this_machine_is_answered_unless_it_is_said() -> None:
    make_check(make_cluster(), Status.CRITICAL, output="secret words")
    for path in ("/v1/health/wildcard", "/v1/health?node=n1&service=web-1&check=web-1-http"):
        answer = Client(REMOTE_ADDR="192.0.2.1").get(path)
        assert answer.status_code == 403
        assert b"secret" not in answer.content
        assert b"CONSULOPS_CONSUL_ALERTS_API=on" in answer.content


def test_many_checks_cost_few_questions(django_assert_max_num_queries: Any) -> None:
    cluster = some_checks()
    make_route(make_notifier())
    for number in range(20):
        fail(cluster, f"x{number}")
    with django_assert_max_num_queries(5):
        assert len(ids()) == 24
    assert Check.objects.count() == 24

"""`manage.py import consul-alerts`: from the keys of a real Consul, all or nothing, and again."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Delivery, Route
from consulops.alerts.services import save_route
from consulops.api import first_start
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.events.models import EventHandler
from consulops.lab.cluster import LocalCluster
from consulops.notifiers import executables
from consulops.notifiers.models import Notifier
from consulops.silences.models import Origin, Silence
from tests.alerts.factories import fail, make_cluster
from tests.consul_alerts.trees import KEYS, SECRET, exported, put

pytestmark = pytest.mark.django_db

Done = tuple[int, list[str], list[str]]
Import = Callable[..., Done]
TEST = Actor.named("test")


@pytest.fixture
def imports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Import:
    """Imports these keys from a file; gives the exit status and the lines of both outputs."""
    # The tables are there; looking for migrations takes longer than all the rest.
    monkeypatch.setattr(first_start, "migrate", lambda: None)

    def run(keys: dict[str, str] | bytes | None, *options: str, cluster: str = "dc1") -> Done:
        words = ["consul-alerts", f"--cluster={cluster}", *options]
        if keys is not None:
            file = tmp_path / "kv.json"
            file.write_bytes(keys if isinstance(keys, bytes) else exported(keys))
            words.append(f"--file={file}")
        status = 0
        try:
            call_command("import", *words)
        except SystemExit as stop:
            status = int(str(stop.code))
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err.splitlines()

    return run


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The allowed folder, with the programs that the keys name."""
    folder = tmp_path / "executables"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(executables, "folder", lambda: folder)
    for name in ("deploy.sh", "pager.py"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def counts() -> list[int]:
    models: list[Any] = [Notifier, Route, Silence, EventHandler, AuditEntry]
    return [model.objects.count() for model in models]


@pytest.mark.consul
def test_every_key_from_a_real_consul(
    consul: LocalCluster, imports: Import, programs: Path
) -> None:
    put(consul, KEYS)
    put(consul, {"n1/serfHealth": "{}"}, "consul-alerts/reminders/")
    save_cluster(TEST, "dc1", {"address": consul.address})
    status, out, err = imports(None)
    assert (status, err) == (0, [])
    kinds = set(Notifier.objects.values_list("kind", flat=True))
    assert kinds == {
        *("log", "email", "influxdb", "slack", "mattermost", "mattermost-webhook", "pagerduty"),
        *("hipchat", "opsgenie", "sns", "victorops", "http", "ilert", "custom"),
    }
    assert not Notifier.objects.get(kind="hipchat").enabled
    assert EventHandler.objects.get().config["program"] == "deploy.sh"
    assert set(Silence.objects.values_list("origin", flat=True)) == {Origin.CONSUL_ALERTS}
    assert any("would send: 1." in line for line in out)
    lost = [line for line in out if line.startswith("not carried over")]
    assert {line.split(": ")[1] for line in lost} == {
        "notifiers/email/template",
        "notifiers/awssns/template",
    }
    before = counts()
    again = imports(None)[1]
    assert counts() == before
    assert not any(line.startswith(("created", "changed", "removed")) for line in again)


@pytest.mark.consul
def test_without_keys_it_says_what_the_token_needs(consul: LocalCluster, imports: Import) -> None:
    save_cluster(TEST, "dc1", {"address": consul.address})
    status, _, err = imports(None, "--prefix=somewhere/else/")
    assert status == 1
    assert 'key_prefix "somewhere/else/" { policy = "read" }' in err[0]
    assert err[-1] == "Nothing was changed."


def test_a_consul_that_does_not_answer(imports: Import) -> None:
    make_cluster()
    status, _, err = imports(None)
    assert (status, err[-1]) == (1, "Nothing was changed.")
    assert err[0].startswith("dc1: GET /v1/kv/consul-alerts/config/: Nobody listens there")


def test_another_prefix(imports: Import) -> None:
    make_cluster()
    raw = exported({"checks/change-threshold": "7"}, "alerts/of/team/config/")
    assert imports(raw, "--prefix=alerts/of/team/config")[0] == 0
    assert Route.objects.get().wait_s == 7


def test_a_dry_run_says_the_same_and_changes_nothing(imports: Import) -> None:
    make_cluster()
    before = counts()
    status, out, _ = imports(KEYS, "--dry-run")
    assert (status, out[-1]) == (0, "Dry run: nothing was changed.")
    assert counts() == before
    assert imports(KEYS)[1] == out[:-1]


def test_the_report_as_json(imports: Import) -> None:
    make_cluster()
    _, out, _ = imports(KEYS, "--format=json", "--dry-run")
    report = json.loads("\n".join(out))
    assert report["dry_run"] is True
    assert {"done": "created", "kind": "notifier", "name": "consul-alerts dc1 slack"} in report[
        "changes"
    ]
    lost = [one for one in report["findings"] if one["key"] == "notifiers/email/template"]
    assert lost[0]["weight"] == "not carried over"


def test_no_secret_is_said_or_recorded(imports: Import) -> None:
    make_cluster()
    for options in ((), ("--format=json",)):
        _, out, err = imports(KEYS, *options)
        assert SECRET not in "".join([*out, *err])
    assert not any(SECRET in str(entry.detail) for entry in AuditEntry.objects.all())
    assert SECRET in Notifier.objects.get(name="consul-alerts dc1 slack").secrets["url"]
    assert {entry.actor_name for entry in AuditEntry.objects.exclude(actor_name="test")} == {
        "import consul-alerts"
    }


def test_what_is_changed_or_gone_in_consul_alerts_is_so_here(imports: Import) -> None:
    make_cluster()
    imports(KEYS)
    keys = dict(KEYS)
    del keys["notif-selection/services/web-1"]
    del keys["checks/blacklist/nodes/n2"]
    keys["checks/change-threshold"] = "45"
    keys["notifiers/slack/channel"] = "#other"
    out = imports(keys)[1]
    assert "removed silence consul-alerts: checks/blacklist/nodes/n2" in out
    assert "removed route consul-alerts dc1 service web-1 to ops" in out
    assert "changed notifier consul-alerts dc1 slack (settings)" in out
    assert any(line.startswith("changed route") and "wait_s" in line for line in out)
    assert not Silence.objects.without_end().filter(match__node="n2").exists()
    assert Notifier.objects.get(name="consul-alerts dc1 slack").config["channel"] == "#other"
    assert all(route.enabled for route in Route.objects.all())


def test_routes_of_people_stay_where_they_are(imports: Import) -> None:
    make_cluster()
    hook = Notifier.objects.create(name="hook", kind="webhook", config={"url": "http://h/"})
    save_route(TEST, "first", {}, [hook])
    out = imports({"checks/check/a/change-threshold": "5"})[1]
    assert any("first" in line for line in out if line.startswith("means something else"))
    save_route(TEST, "last", {}, [hook])
    imports({"checks/check/a/change-threshold": "5", "checks/check/b/change-threshold": "6"})
    found = [route.name for route in Route.objects.all()]
    assert (found[0], found[-1]) == ("first", "last")
    assert len(found) == 5
    assert [route.position for route in Route.objects.all()] == [1, 2, 3, 4, 5]


def test_two_clusters_do_not_meet(imports: Import) -> None:
    make_cluster("dc1")
    make_cluster("dc2")
    imports({"checks/blacklist/nodes/n1": ""}, cluster="dc1")
    imports({"checks/change-threshold": "9"}, cluster="dc2")
    imports({"checks/change-threshold": "9"}, cluster="dc2")
    assert Silence.objects.without_end().count() == 1
    assert {one.match["cluster"] for one in Route.objects.all()} == {"dc1", "dc2"}
    assert Notifier.objects.count() == 2


def test_checks_that_were_switched_off_make_routes_that_are(imports: Import) -> None:
    make_cluster()
    out = imports({"checks/enabled": "false"})[1]
    assert not Route.objects.get().enabled
    assert any(line.startswith("note: checks/enabled") for line in out)


def test_handlers_of_events_that_were_switched_off(imports: Import, programs: Path) -> None:
    make_cluster()
    imports({"events/enabled": "false", "events/handlers": '["/opt/deploy.sh"]'})
    assert not EventHandler.objects.get().enabled


def test_programs_must_lie_in_the_allowed_folder(imports: Import) -> None:
    make_cluster()
    keys = {"events/handlers": '["/opt/absent.sh"]', "notifiers/custom/x": "/opt/absent.py"}
    out = imports(keys)[1]
    assert not EventHandler.objects.exists()
    lost = [line for line in out if line.startswith("not carried over")]
    assert len(lost) == 2
    assert all("import again" in line for line in lost)


def test_nobody_is_told_by_half_an_import(imports: Import) -> None:
    """An open alert that the blacklist means is told to nobody, whatever is made first."""
    cluster = make_cluster()
    fail(cluster, "web")
    fail(cluster, "db")
    keys = {
        "checks/blacklist/services/web-1": "",
        "notif-profiles/quiet": '{"NotifList": {"slack": false}}',
        "notif-selection/services/db-1": "quiet",
        "checks/change-threshold": "0",
    }
    imports(keys)
    assert not Delivery.objects.exists()
    # Now db is told, and web still is not.
    imports({name: value for name, value in keys.items() if "selection" not in name})
    held = Route.objects.get().notices.exclude(group_since=None)
    assert [notice.alert.check_ref.check_id for notice in held] == ["db"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON"),
        (b"{}", "not an array"),
        (b"[]", "no key under consul-alerts/config/"),
        (b'[1, {"key": 5}]', "no key under"),
        (b'[{"key": "consul-alerts/config/checks/enabled", "value": "%%"}]', "not base64"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_bad_files(imports: Import, raw: bytes, said: str) -> None:
    make_cluster()
    before = counts()
    status, _, err = imports(raw)
    assert status == 2
    assert said in err[0]
    assert counts() == before


def test_a_file_that_is_not_there(imports: Import) -> None:
    make_cluster()
    status, _, err = imports(None, "--file=/nowhere/kv.json")
    assert status == 2
    assert "/nowhere/kv.json" in err[0]


def test_standard_input(imports: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cluster()
    raw = io.BytesIO(exported({"checks/change-threshold": "8"}))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))
    assert imports(None, "--file=-")[0] == 0
    assert Route.objects.get().wait_s == 8


def test_a_cluster_that_is_not_there(imports: Import) -> None:
    status, _, err = imports(KEYS, cluster="nowhere")
    assert (status, err[0]) == (2, "There is no cluster nowhere.")
    assert not Cluster.objects.exists()


def test_a_bad_value_is_said_with_its_key_and_the_rest_is_imported(imports: Import) -> None:
    make_cluster()
    keys = {
        "checks/change-threshold": "soon",
        "checks/nonsense": "1",
        "notifiers/slack/enabled": "perhaps",
        "notifiers/slack/url": "no address",
        "notifiers/pagerduty/service-key": "k" * 32,
        "notifiers/pagerduty/client-url": "no address",
        "notifiers/pagerduty/colour": "red",
        "notifiers/pigeon/enabled": "true",
        "notif-profiles/bad": "[]",
        "notif-selection/services": '{"(": "bad"}',
        "checks/blacklist/nodes": '["("]',
    }
    status, out, _ = imports(keys)
    assert status == 0
    lost = {line.split(": ")[1] for line in out if line.startswith("not carried over")}
    assert lost == {
        *("checks/change-threshold", "checks/nonsense", "notifiers/slack/enabled"),
        *("notifiers/slack/url", "notifiers/slack", "notifiers/pagerduty/client-url"),
        *("notifiers/pagerduty/colour", "notifiers/pigeon", "notif-profiles/bad"),
        *("notif-selection/services", "checks/blacklist/nodes"),
    }
    assert Route.objects.get().wait_s == 60
    assert Notifier.objects.filter(kind="pagerduty").exists()

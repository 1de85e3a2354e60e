"""When the demo is shown, and that it never touches what is not its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from consulops.alerts.models import Route
from consulops.api.demo import Demo
from consulops.clusters.models import Cluster
from consulops.env import Environment
from consulops.lab import binary
from consulops.lab.demo import ADDRESSES

pytestmark = pytest.mark.django_db

ONE = {"dc1": "http://127.0.0.1:8500", "dc2": "http://127.0.0.1:8510"}
OTHER = {"dc1": "http://127.0.0.1:9500", "dc2": "http://127.0.0.1:9510"}


@pytest.fixture(autouse=True)
def _consul(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "find", lambda data: Path("/usr/bin/consul"))


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    (tmp_path / "demo").mkdir()
    return Demo(tmp_path)


def runs_at(folder: Path, addresses: dict[str, str]) -> None:
    (folder / "demo" / ADDRESSES).write_text(json.dumps(addresses))


def shown() -> dict[str, str]:
    return dict(Cluster.objects.values_list("name", "address"))


def test_it_is_shown_once_it_runs(demo: Demo, tmp_path: Path) -> None:
    assert not demo.follow()
    runs_at(tmp_path, ONE)
    assert demo.follow()
    assert shown() == ONE
    (route,) = Route.objects.all()
    assert [notifier.kind for notifier in route.notifiers.all()] == ["log"]


def test_it_moves_with_its_addresses(demo: Demo, tmp_path: Path) -> None:
    runs_at(tmp_path, ONE)
    demo.follow()
    runs_at(tmp_path, OTHER)
    demo.follow()
    assert shown() == OTHER
    runs_at(tmp_path, ONE)
    assert Demo(tmp_path).follow()
    assert shown() == ONE


def test_one_that_was_deleted_stays_deleted(demo: Demo, tmp_path: Path) -> None:
    runs_at(tmp_path, ONE)
    demo.follow()
    Cluster.objects.get(name="dc2").delete()
    Route.objects.all().delete()
    runs_at(tmp_path, OTHER)
    Demo(tmp_path).follow()
    assert shown() == {"dc1": OTHER["dc1"]}
    assert not Route.objects.exists()


def test_a_cluster_of_somebody_else_is_left_alone(demo: Demo, tmp_path: Path) -> None:
    Cluster.objects.create(name="dc1", address="https://consul.example.com")
    runs_at(tmp_path, ONE)
    demo.follow()
    runs_at(tmp_path, OTHER)
    demo.follow()
    assert shown() == {"dc1": "https://consul.example.com", "dc2": OTHER["dc2"]}


def test_wanted_while_there_is_nothing_else(demo: Demo, tmp_path: Path) -> None:
    assert demo.is_wanted(None)
    runs_at(tmp_path, ONE)
    demo.follow()
    assert Demo(tmp_path).is_wanted(None)
    Cluster.objects.create(name="mine", address="http://127.0.0.1:1")
    assert Demo(tmp_path).is_wanted(None)
    Cluster.objects.filter(name__in=ONE).delete()
    assert not Demo(tmp_path).is_wanted(None)
    assert Demo(tmp_path).is_wanted(True)
    assert not Demo(tmp_path).is_wanted(False)


@override_settings(ENV=Environment({"CONSUL_HTTP_ADDR": "127.0.0.1:8500"}))
def test_not_wanted_when_the_environment_names_a_cluster(demo: Demo) -> None:
    assert not demo.is_wanted(None)


def test_addresses_of_an_earlier_run_do_not_count(demo: Demo, tmp_path: Path) -> None:
    runs_at(tmp_path, ONE)
    assert demo.is_wanted(None)
    assert not demo.follow()


def test_a_wrong_consul_bin_is_said(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(data: Any) -> None:
        raise binary.NoConsul("CONSUL_BIN is /bin/true, but that does not run as consul.")

    monkeypatch.setattr(binary, "find", refuse)
    assert not demo.is_wanted(True)
    assert "no demo: CONSUL_BIN is /bin/true" in caplog.text

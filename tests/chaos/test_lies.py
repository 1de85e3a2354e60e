"""Something answers in Consul's place, or Consul answers nonsense: nothing becomes well or gone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from consulops.alerts.models import Alert
from consulops.clusters.models import Cluster, ClusterState
from consulops.consulapi import Backoff
from consulops.health import loops
from consulops.health.models import Check, Transition
from tests.alerts.factories import make_cluster
from tests.fake_consul import (
    GARBAGE,
    NOT_HTTP,
    SILENT_END,
    FakeConsul,
    Told,
    failure,
    half,
    huge_check,
    listing,
    redirect,
    web_page,
)
from tests.looping import RunningLoop
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

BAD = {"Node": "n1", "CheckID": "bad", "Name": "bad", "Status": "critical", "ModifyIndex": 5}
GOOD = {"Node": "n1", "CheckID": "good", "Name": "good", "Status": "passing", "ModifyIndex": 6}
PATHS = {
    "/v1/health/state/any": [BAD, GOOD],
    "/v1/health/state/critical": [BAD],
    "/v1/health/state/warning": [],
    "/v1/health/node/n1": [BAD, GOOD],
    "/v1/catalog/nodes": [{"Node": "n1", "Address": "127.0.0.1"}],
    "/v1/catalog/services": {"web": []},
}
LIES = {
    "garbage": (GARBAGE, "JSON"),
    "a web page": (web_page(), "web page"),
    "a web page of a proxy": (web_page(502), "502"),
    "half a body": (half([BAD, GOOD]), "broke off"),
    "a redirect": (redirect("https://elsewhere.example/"), "elsewhere.example"),
    "no HTTP": (NOT_HTTP, "HTTP"),
    "a closed connection": (SILENT_END, "closed the connection"),
    "no list": (listing({"Node": "n1"}, 9), "no list"),
    "an entry that is none": (listing([{"Node": "n1"}], 9), "CheckID"),
    "an empty list": (listing([], 9), "empty"),
    "no leader": (listing([], 9, leader=False), "no leader"),
    "a failure": (failure("No cluster leader"), "leader"),
}


@pytest.fixture
def fake() -> Iterator[FakeConsul]:
    with FakeConsul() as server:
        tell_truth(server)
        yield server


@pytest.fixture
def cluster(fake: FakeConsul) -> Cluster:
    return make_cluster(address=fake.address)


def tell_truth(fake: FakeConsul) -> None:
    for path, value in PATHS.items():
        fake.at(path, listing(value, 10))


def tell(fake: FakeConsul, lie: Told) -> None:
    for path in PATHS:
        # The catalog has a shape of its own; it goes on as before.
        if path.startswith("/v1/health/"):
            fake.at(path, lie)


def picture() -> set[tuple[str, str]]:
    return set(Check.objects.values_list("check_id", "status"))


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_an_error_and_changes_nothing(
    fake: FakeConsul, cluster: Cluster, name: str
) -> None:
    lie, words = LIES[name]
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: picture() == {("bad", "critical"), ("good", "passing")})
        tell(fake, lie)
        eventually(lambda: state.filter(error__contains=words).exists())
        # It is asked again and again, and not believed once.
        fake.wait_asked(len(fake.asked) + 3)
        assert picture() == {("bad", "critical"), ("good", "passing")}
        tell_truth(fake)
        eventually(lambda: state.filter(error="").exists())
    assert picture() == {("bad", "critical"), ("good", "passing")}
    assert Alert.objects.filter(resolved_at__isnull=True).count() == 1
    assert Transition.objects.count() == 1


def test_a_lie_from_the_start_is_an_error_and_nothing_is_known(
    fake: FakeConsul, cluster: Cluster
) -> None:
    tell(fake, web_page())
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: state.filter(error__contains="web page").exists())
        assert state.get().answered_at is None
        assert picture() == set()


def test_trouble_after_a_good_while_makes_no_longer_pause(
    fake: FakeConsul, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any while is a good one here, and each pause is twice the one before: 25 are nine hours.
    monkeypatch.setattr(loops, "WELL_S", 0.0)
    monkeypatch.setattr(loops, "Backoff", partial(Backoff, cap_s=1e6, random=lambda: 0.001))
    tell(fake, LIES["no list"][0])
    with RunningLoop(f"checks:{cluster.pk}"):
        fake.wait_asked(25)
        tell_truth(fake)
        eventually(lambda: picture() == {("bad", "critical"), ("good", "passing")})


def test_an_enormous_output_is_cut_and_told(fake: FakeConsul, cluster: Cluster) -> None:
    huge = {**BAD, "Output": "x" * (50 << 20), "ModifyIndex": 20}
    fake.at("/v1/health/state/critical", listing([huge], 30))
    fake.at("/v1/health/state/any", listing([huge, GOOD], 30))
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: picture() == {("bad", "critical"), ("good", "passing")})
    output = Check.objects.get(check_id="bad").output
    assert len(output) < 100_000
    assert output.endswith("… cut: the output had 52,428,800 characters")
    assert Alert.objects.count() == 1


def test_more_than_we_are_willing_to_hold_is_an_error(fake: FakeConsul, cluster: Cluster) -> None:
    tell(fake, huge_check(70))
    state = ClusterState.objects.filter(pk=cluster.pk)
    with RunningLoop(f"checks:{cluster.pk}"):
        eventually(lambda: state.filter(error__contains="too large").exists())

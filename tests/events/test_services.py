"""Events are taken in once, whatever lists they come in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from consulops.accounts.models import AuditEntry
from consulops.clusters.models import Cluster
from consulops.consulapi.events import KEPT
from consulops.events import services
from consulops.events.models import Event, Feed, Run
from consulops.loops.context import LeaseLost
from tests.events.things import TEST, heard, make_event, make_handler, make_run, take

pytestmark = pytest.mark.django_db


def fresh() -> list[str]:
    return [event.event_id for event in Event.objects.filter(fresh=True).order_by("pk")]


def test_nothing_runs_for_what_was_there_at_the_first_look(cluster: Cluster) -> None:
    make_handler()
    assert take(cluster, heard("a"), heard("b")).new == 2
    assert fresh() == []
    assert not Run.objects.exists()
    take(cluster, heard("a"), heard("b"), heard("c"))
    assert fresh() == ["c"]
    assert Run.objects.get().event.event_id == "c"


def test_an_empty_first_list_is_a_first_look_too(cluster: Cluster) -> None:
    take(cluster)
    take(cluster, heard("a"))
    assert fresh() == ["a"]


def test_an_event_is_taken_once(cluster: Cluster) -> None:
    make_handler()
    take(cluster)
    for _ in range(3):
        take(cluster, heard("a"), heard("a"))
    # The agent was restarted, and hears some of it again.
    take(cluster)
    take(cluster, heard("a"))
    assert (Event.objects.count(), Run.objects.count()) == (1, 1)


def test_the_same_id_in_two_clusters_is_two_events(cluster: Cluster) -> None:
    other = Cluster.objects.create(name="dc2", address="http://127.0.0.1:2")
    for one in (cluster, other):
        take(one)
        take(one, heard("a"))
    assert Event.objects.count() == 2


def test_a_full_list_of_strangers_may_hide_more(cluster: Cluster) -> None:
    take(cluster, heard("a"))
    full = [heard(f"n{number}") for number in range(KEPT)]
    assert not take(cluster, *full[:-1]).may_have_missed
    more = [heard(f"m{number}") for number in range(KEPT)]
    assert take(cluster, *more).may_have_missed
    assert Feed.objects.get().gap_at is not None
    assert not take(cluster, *more[1:], heard("z")).may_have_missed


def test_a_full_first_list_hides_nothing_that_we_care_for(cluster: Cluster) -> None:
    assert not take(cluster, *(heard(f"n{number}") for number in range(KEPT))).may_have_missed


def test_another_consul_at_another_address_has_a_past_of_its_own(cluster: Cluster) -> None:
    take(cluster, heard("a"))
    cluster.address = "http://127.0.0.1:2"
    take(cluster, heard("x"), heard("y"))
    assert fresh() == []
    take(cluster, heard("x"), heard("y"), heard("z"))
    assert fresh() == ["z"]


def test_another_agent_of_the_same_cluster_goes_on(cluster: Cluster) -> None:
    take(cluster, heard("a"))
    cluster.address = "http://127.0.0.1:2"
    take(cluster, heard("a"), heard("b"))
    assert fresh() == ["b"]


def test_without_the_lease_nothing_is_stored(cluster: Cluster) -> None:
    def fence() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        services.take(cluster, [heard("a")], fence)
    assert not Event.objects.exists()


def test_handlers_choose_by_whole_names(cluster: Cluster) -> None:
    make_handler("deploys", event_pattern="deploy-.*")
    make_handler("elsewhere", cluster_pattern="dc2")
    make_handler("off", enabled=False)
    make_handler("part", event_pattern="deploy")
    take(cluster)
    take(cluster, heard("a", "deploy-web"), heard("b", "my-deploy-web"))
    runs = Run.objects.values_list("handler_name", "event__event_id")
    assert list(runs) == [("deploys", "a")]


def test_odd_texts_can_be_stored(cluster: Cluster) -> None:
    take(cluster)
    take(cluster, heard("a", "nul\0 <b>ü", b"\0\xff"))
    event = Event.objects.get()
    assert (event.name, event.bytes) == ("nul\N{REPLACEMENT CHARACTER} <b>ü", b"\0\xff")


def test_what_waits_for_a_handler_goes_with_it(cluster: Cluster) -> None:
    one, two = make_handler("one"), make_handler("two")
    runs = [make_run(make_event(cluster), handler) for handler in (one, two)]
    one.enabled = False
    services.save_handler(TEST, one)
    services.delete_handler(TEST, two)
    results = [(run.state, run.result) for run in Run.objects.order_by("pk")]
    assert results == [
        ("failed", "The handler was switched off."),
        ("failed", "The handler was deleted."),
    ]
    assert Run.objects.get(pk=runs[1].pk).handler_name == "two"


def test_saving_is_recorded_without_secrets() -> None:
    handler = make_handler(secrets={"secret": "hunter2"})
    assert not services.save_handler(TEST, handler)
    handler.secrets = {"secret": "hunter3"}
    assert services.save_handler(TEST, handler)
    assert handler.secrets_at is not None
    entries = AuditEntry.objects.order_by("pk")
    assert [entry.action for entry in entries] == [
        "event_handler.created",
        "event_handler.updated",
    ]
    assert "hunter" not in str([entry.detail for entry in entries])


def test_old_events_are_forgotten_but_for_what_consul_may_still_list(cluster: Cluster) -> None:
    old = timezone.now() - timedelta(days=settings.RETENTION_DAYS + 1)
    events = [make_event(cluster, seen_at=old) for _ in range(2 * KEPT + 3)]
    make_run(events[0], make_handler())
    assert services.prune(timezone.now())["events"] == 3
    assert not Run.objects.exists()
    assert not Event.objects.filter(pk__in=[event.pk for event in events[:3]]).exists()

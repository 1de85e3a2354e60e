"""What the watchdog finds becomes checks, alerts and messages like any other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Delivery
from consulops.clusters.models import Cluster
from consulops.clusters.services import update_cluster
from consulops.health.models import Check, Source
from consulops.notifiers.models import Notifier
from consulops.watchdog import facts, services
from consulops.watchdog.models import Watchdog
from tests.alerts.factories import TEST, fail, make_cluster, make_notifier, make_route
from tests.watchdog.things import ago, hold_lease, look, open_alerts, said, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    cluster = make_cluster()
    state(cluster)
    hold_lease(f"checks:{cluster.pk}")
    return cluster


def test_all_is_well(cluster: Cluster) -> None:
    make_notifier()
    look()
    assert set(said().values()) == {"passing"}
    assert len(said()) == 6
    assert open_alerts() == set()


def test_an_unreachable_cluster_is_an_alert_until_it_answers(cluster: Cluster) -> None:
    make_route(make_notifier(), match={"check": "consulops:.*"})
    look()
    state(cluster, answered_at=ago(60), probed_at=ago(60), error="Refused.")
    look()
    assert open_alerts() == {"consulops:unreachable"}
    message = Delivery.objects.get().message
    (told,) = message["alerts"]
    assert (message["cluster"], told["node"], told["status"]) == ("dc1", "", "critical")
    assert "Refused." in told["output"]
    state(cluster)
    look()
    assert open_alerts() == set()
    assert Delivery.objects.latest("pk").reason == "resolved"


def test_nothing_is_written_when_nothing_changed(cluster: Cluster) -> None:
    make_notifier()
    state(cluster, answered_at=ago(60), probed_at=ago(60))
    assert look()
    with CaptureQueriesContext(connection) as queries:
        assert look() == 0
    assert not [one for one in queries if one["sql"].startswith(("INSERT", "UPDATE"))]


def test_the_number_of_clusters_costs_no_queries(cluster: Cluster) -> None:
    look()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            look()
        return len(captured)

    before = queries()
    for number in range(5):
        other = make_cluster(f"other-{number}")
        state(other)
        hold_lease(f"checks:{other.pk}")
    look()
    assert queries() == before


def test_a_cluster_that_is_switched_off_is_not_watched(cluster: Cluster) -> None:
    state(cluster, answered_at=ago(60), probed_at=ago(60))
    look()
    update_cluster(TEST, cluster.pk, {"enabled": False})
    look()
    assert open_alerts() == set()
    assert {status for name, status in said().items() if name.startswith("dc1")} == {"gone"}


@pytest.mark.parametrize("end", ["deleted", "disabled"])
def test_a_notifier_that_is_away_does_not_fail(end: str) -> None:
    notifier = make_notifier(error="HTTP 404", error_is_permanent=True)
    look()
    assert open_alerts() == {f"consulops:notifier:{notifier.pk}"}
    if end == "deleted":
        notifier.delete()
    else:
        Notifier.objects.update(enabled=False)
    look()
    assert open_alerts() == set()


def test_a_renamed_notifier_keeps_its_check(cluster: Cluster) -> None:
    notifier = make_notifier()
    look()
    Notifier.objects.update(name="renamed")
    look()
    check = Check.every.get(check_id=f"consulops:notifier:{notifier.pk}")
    assert (check.name, check.status) == ("Delivery to renamed", "passing")


def wait_long(notifier: Notifier) -> None:
    """Its messages wait for longer than they may."""
    Delivery.objects.filter(notifier=notifier).update(created_at=ago(61), state="retrying")


def test_a_notifier_whose_messages_wait(cluster: Cluster) -> None:
    notifier = make_notifier(error="HTTP 500")
    make_route(notifier, match={"service": "web"})
    fail(cluster)
    look()
    assert open_alerts() == set()
    wait_long(notifier)
    look()
    assert open_alerts() == {f"consulops:notifier:{notifier.pk}"}
    Delivery.objects.update(state="sent")
    look()
    assert open_alerts() == set()


def test_a_notifiers_own_alert_does_not_keep_itself_alive(cluster: Cluster) -> None:
    """Told to itself, it waits like the others; alone it must not count."""
    notifier, other = make_notifier(), make_notifier("other")
    make_route(notifier)
    fail(cluster)
    wait_long(notifier)
    look()
    own = Delivery.objects.get(alerts__check_ref__check_id=f"consulops:notifier:{notifier.pk}")
    assert own.notifier == notifier
    wait_long(notifier)
    Delivery.objects.exclude(pk=own.pk).update(state="failed")
    look()
    assert open_alerts() == set()
    # About another one's trouble it counts as any message.
    Notifier.objects.filter(pk=other.pk).update(error="HTTP 404", error_is_permanent=True)
    look()
    wait_long(notifier)
    look()
    assert f"consulops:notifier:{notifier.pk}" in open_alerts()


def test_settings_count(cluster: Cluster) -> None:
    services.save_settings(TEST, {"unreachable_after_s": 600})
    state(cluster, answered_at=ago(60), probed_at=ago(60))
    look()
    assert open_alerts() == set()


def test_our_own_checks_are_none_of_consuls(cluster: Cluster) -> None:
    look()
    assert not Check.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"unreachable_after_s": 5}, "unreachable_after_s"),
        ({"heartbeat_every_s": 0}, "heartbeat_every_s"),
        ({"heartbeat_url": "ftp://example.org"}, "heartbeat_url"),
        ({"heartbeat_url": "nonsense"}, "heartbeat_url"),
        ({"heartbeat_url": "http://[oops"}, "heartbeat_url"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        services.save_settings(TEST, values)
    assert field in caught.value.message_dict
    assert not Watchdog.objects.exists()


def test_the_address_of_the_heartbeat_is_a_secret() -> None:
    services.save_settings(TEST, {"heartbeat_url": "https://hc.example/very-secret"})
    assert services.save_settings(TEST, {"heartbeat_url": "https://hc.example/very-secret"}) == []
    entry = AuditEntry.objects.get(action="watchdog.updated")
    assert "very-secret" not in str(entry.detail)
    assert Watchdog.load().heartbeat_set_at is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT heartbeat_url FROM watchdog_watchdog")
        assert "very-secret" not in str(cursor.fetchall())
    services.save_settings(TEST, {"heartbeat_url": ""})
    assert Watchdog.load().heartbeat_set_at is None


def test_a_stuck_courier(cluster: Cluster) -> None:
    terms = facts.read(timezone.now()).terms

    def stuck() -> bool:
        return facts.is_courier_stuck(terms, timezone.now())

    assert stuck()
    hold_lease("courier")
    assert not stuck()
    make_route(make_notifier())
    fail(cluster)
    assert not stuck()
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=10))
    assert stuck()
    hold_lease("courier", expires_at=ago(61))
    Delivery.objects.update(state="sent")
    assert stuck()


def test_ourselves_is_one_row() -> None:
    look()
    look()
    assert Cluster.every.filter(internal=True).count() == 1
    assert Check.every.filter(source=Source.CONSULOPS, cluster__internal=True).count() == 1

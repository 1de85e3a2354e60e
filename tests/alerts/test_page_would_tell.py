"""The page that says who would be told, and the page of what is noise."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import AuditEntry
from consulops.alerts import services
from consulops.alerts.models import Delivery, Noise
from consulops.health.models import Check
from tests.alerts.factories import TEST, make_cluster, make_notifier, make_route, mend
from tests.alerts.pages import notes, nothing_changes, text

pytestmark = pytest.mark.django_db

PAGE = "/routes/would-tell/"
NOISE = "/routes/noise/"


def test_everybody_may_ask_and_nothing_is_made(as_viewer: Client) -> None:
    boss = make_notifier("boss")
    services.save_route(
        TEST,
        "web",
        {"match": {"service": "web"}, "wait_s": 90, "escalate_after_s": 600},
        [make_notifier("pager")],
        escalate_to=[boss],
    )
    make_route(make_notifier("mail"), "rest", match={"status": ["warning"]})
    mend(make_cluster())
    mend(make_cluster("dc2"), "other")
    pk = Check.objects.get(check_id="web").pk
    assert "Check of web" in text(as_viewer, PAGE)
    assert f"check={pk}" in text(as_viewer, f"{PAGE}?q=web")
    assert "Check of other" not in text(as_viewer, f"{PAGE}?q=web")
    page = text(as_viewer, f"{PAGE}?check={pk}&status=critical")
    for words in (
        "Nobody at once",
        "Later, if it lasts:",
        "pager",
        "When nobody acknowledges:",
        "boss",
        "critical must last 90 s before it counts",
        "the route web comes first",
    ):
        assert words in page
    assert not Delivery.objects.exists()


def test_told_at_once_and_nobody(as_viewer: Client) -> None:
    make_route(make_notifier("pager"), match={"status": ["critical"]})
    mend(make_cluster())
    address = f"{PAGE}?check={Check.objects.get().pk}"
    assert "Told at once:" in text(as_viewer, f"{address}&status=critical")
    assert "Nobody would be told." in text(as_viewer, f"{address}&status=warning")


@pytest.mark.parametrize(
    "query", ["check=0", "check=x", "check=99999999999999999999", "check=4711", "q=%00%ff"]
)
def test_nonsense_leads_to_the_search(as_viewer: Client, query: str) -> None:
    assert "Find a check" in text(as_viewer, f"{PAGE}?{query}")


def test_a_status_that_is_none_is_no_question(as_viewer: Client) -> None:
    mend(make_cluster())
    page = text(as_viewer, f"{PAGE}?check={Check.objects.get().pk}&status=purple")
    assert "Find a check" in page


def test_the_page_asks_the_database_a_fixed_number_of_times(
    as_viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    hook = make_notifier()
    for number in range(12):
        make_route(hook, f"route {number}", continues=True)
    mend(make_cluster())
    with django_assert_max_num_queries(16):
        text(as_viewer, f"{PAGE}?check={Check.objects.get().pk}")


@pytest.mark.parametrize("who", ["as_viewer", "as_operator"])
def test_only_admins_say_what_is_noise(who: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        assert client.get(NOISE).status_code == 403
        assert client.post(NOISE, {}).status_code == 403


def test_noise_is_saved_and_said_once(as_admin: Client) -> None:
    posted = {"flap_changes": "10", "flap_window_s": "900", "flap_rest_s": "60"}
    assert notes(as_admin.post(NOISE, posted)) == ["Saved."]
    noise = Noise.objects.get()
    assert (noise.flap_changes, noise.flap_window_s, noise.flap_rest_s) == (10, 900, 60)
    assert (noise.inhibit_by_node, noise.inhibit_by_cluster) == (False, False)
    assert notes(as_admin.post(NOISE, posted))[-1] == "It is as it was."
    assert AuditEntry.objects.filter(action="noise.updated").count() == 1


@pytest.mark.parametrize("field", ["flap_changes", "flap_window_s", "flap_rest_s"])
def test_what_cannot_be_is_refused_beside_its_field(as_admin: Client, field: str) -> None:
    posted = {"flap_changes": "6", "flap_window_s": "600", "flap_rest_s": "300", field: "-1"}
    answer = as_admin.post(NOISE, posted)
    assert list(answer.context["form"].errors) == [field]
    assert not Noise.objects.exists()

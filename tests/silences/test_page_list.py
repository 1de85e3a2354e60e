"""The list of silences: what each means now, its buttons, and who may press them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry, User
from consulops.alerts.models import Alert
from consulops.health.models import Instance, Node
from consulops.silences.models import Silence
from tests.alerts.factories import fail, make_cluster, observation, see
from tests.alerts.pages import HTMX, ODD, notes, text
from tests.people import client_of
from tests.silences.things import HOUR, make_silence, put_in_time

pytestmark = pytest.mark.django_db

PAGE, NEW = reverse("silences:list"), reverse("silences:new")
NIGHTS = [{"days": ["mon"], "begin": "22:00", "end": "02:00", "timezone": "Europe/Berlin"}]
BUDGET = 16


def address(silence: Silence, verb: str) -> str:
    return reverse(f"silences:{verb}", args=(silence.pk,))


@contextmanager
def nothing_changes() -> Iterator[None]:
    def everything() -> list[object]:
        return [*Silence.objects.order_by("pk").values(), AuditEntry.objects.count()]

    before = everything()
    yield
    assert everything() == before


def test_nothing_yet(as_viewer: Client, as_operator: Client) -> None:
    assert "Nothing is silenced" in text(as_viewer, PAGE)
    assert "Add silence" not in text(as_viewer, PAGE)
    assert "Add silence" in text(as_operator, PAGE)


def test_what_each_silences_now(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "web")
    fail(cluster, "api", "warning")
    see(cluster, observation("web2", "passing", service="web"))
    make_silence(match={"service": "web", "status": ["critical"]}, comment="moving the rack")
    page = text(as_viewer, PAGE)
    assert "<b>1</b> open alert" in page
    assert "2 of 3 checks" in page
    assert "moving the rack" in page
    assert "Silent" in page
    assert "End now" not in page


def test_exact_ones_beside_others(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "web", node="n1")
    fail(cluster, "api", node="n2")
    fail(cluster, "db", node="n3", tags=("blue",))
    make_silence(match={"node": "n1", "cluster": "dc1"})
    make_silence(match={"service": "api|nothing"})
    make_silence(match={"tag": "blue"})
    page = text(as_viewer, PAGE)
    assert page.count("<b>1</b> open alert") == 3
    assert page.count("1 of 3 checks") == 3


def test_an_alert_counts_with_the_status_that_was_told(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "web")
    # Unknown is neither better nor worse: the alert goes on being critical.
    see(cluster, observation("web", "unknown"))
    make_silence(match={"service": "web", "status": ["critical"]})
    assert "<b>1</b> open alert" in text(as_viewer, PAGE)


def test_meta_and_output_count_too(as_viewer: Client) -> None:
    cluster = make_cluster()
    fail(cluster, "web", output="connection\nrefused")
    fail(cluster, "api", node="n2")
    Node.objects.create(cluster=cluster, name="n1", meta={"rack": "r1"})
    Instance.objects.create(
        cluster=cluster, node="n2", service_id="api-1", service="api", meta={"team": "pay"}
    )
    make_silence(match={"node_meta": {"rack": "r1"}, "output": ".*refused"})
    make_silence(match={"service_meta": {"team": "pay|shop"}})
    make_silence(match={"service_meta": {"team": "search"}})
    page = text(as_viewer, PAGE)
    assert page.count("<b>1</b> open alert") == 2
    assert page.count("<b>0</b> open alert") == 1


def test_chips_show_the_states(as_viewer: Client) -> None:
    now = timezone.now()
    make_silence(comment="now-one")
    make_silence(comment="later-one", starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    over = make_silence(comment="over-one")
    put_in_time(over, starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    shown = {
        state: [word for word in ("now", "later", "over") if f"{word}-one" in page]
        for state in ("", "upcoming", "expired", "all", "nonsense")
        if (page := text(as_viewer, PAGE, state=state))
    }
    assert shown == {
        "": ["now"],
        "upcoming": ["later"],
        "expired": ["over"],
        "all": ["now", "later", "over"],
        "nonsense": ["now"],
    }
    for label, count in (("Active", 1), ("Upcoming", 1), ("Expired", 1), ("All", 3)):
        assert f"<span>{label}</span><b>{count}</b>" in text(as_viewer, PAGE)


def test_a_recurring_one_says_when(as_viewer: Client) -> None:
    make_silence(windows=NIGHTS, ends_at=timezone.now() + timedelta(days=30))
    page = text(as_viewer, PAGE)
    assert "Mon 22:00\N{EN DASH}02:00 (Europe/Berlin)" in page
    assert ("next <time" in page) == ("Between its times" in page)


def test_looking_for_one(as_viewer: Client) -> None:
    make_silence(Actor.named("otto"), comment="disk swap", match={"node": "db-1"})
    make_silence(comment="network", match={"service": "web"})
    for words in ("swap", "otto disk", "db-1"):
        page = text(as_viewer, PAGE, q=words)
        assert "disk swap" in page
        assert "network" not in page
    assert "No silence matches" in text(as_viewer, PAGE, q="nowhere")


def test_ending_and_extending(as_operator: Client) -> None:
    silence = make_silence()
    end = silence.ends_at
    assert end is not None
    answer = as_operator.post(address(silence, "extend"), {"by": "4h"})
    assert (answer["Location"], notes(answer)) == (PAGE, ["Extended by 4 hours."])
    silence.refresh_from_db()
    assert silence.ends_at == end + 4 * HOUR
    answer = as_operator.post(address(silence, "expire"), {"next": f"{PAGE}?state=all"})
    assert answer["Location"] == f"{PAGE}?state=all"
    silence.refresh_from_db()
    assert silence.ends_at is not None
    assert silence.ends_at <= timezone.now()
    answer = as_operator.post(address(silence, "extend"), {"by": "1h"})
    assert notes(answer)[-1] == "Not extended: it is over; make a new one."
    answer = as_operator.post(address(silence, "expire"))
    assert notes(answer)[-1] == "It was over already."


def test_by_htmx_the_page_stays(as_operator: Client) -> None:
    answer = as_operator.post(address(make_silence(), "expire"), headers=HTMX)
    assert "live:resync" in json.loads(answer["HX-Trigger"])
    assert "It is over" in answer.content.decode()


@pytest.mark.parametrize(("who", "status"), [("as_viewer", 403), ("stranger", 302)])
def test_others_only_look(request: pytest.FixtureRequest, who: str, status: int) -> None:
    silence = make_silence()
    fail(make_cluster())
    client: Client = request.getfixturevalue(who)
    with nothing_changes():
        for verb in ("expire", "extend", "edit"):
            assert client.post(address(silence, verb), {"by": "1h"}).status_code == status
        for page in (reverse("silences:new"), reverse("silences:preview")):
            assert client.post(page).status_code == status
        alert = reverse("silences:from_alert", args=(Alert.objects.get().pk,))
        assert client.post(alert, {"scope": "check"}).status_code == status


def test_neither_a_link_nor_a_post_without_its_token_changes_anything(
    as_operator: Client, operator: User
) -> None:
    silence = make_silence()
    fail(make_cluster())
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client_of(operator).cookies
    addresses = [address(silence, "expire"), address(silence, "extend")]
    addresses.append(reverse("silences:from_alert", args=(Alert.objects.get().pk,)))
    with nothing_changes():
        for one in addresses:
            assert as_operator.get(one).status_code == 405
            assert careful.post(one).status_code == 403
    assert "csrfmiddlewaretoken" in text(as_operator, PAGE)


def test_odd_texts_are_escaped(as_operator: Client) -> None:
    make_silence(Actor.named(ODD), comment=ODD, match={"node": "<script>alert.1."})
    assert "<script>alert" not in text(as_operator, PAGE)


def test_the_same_as_json(as_viewer: Client) -> None:
    make_silence(windows=NIGHTS, ends_at=None)
    (row,) = json.loads(as_viewer.get(PAGE, {"format": "json"}).getvalue())
    assert (row["match"], row["comment"]) == ({"service": "web"}, "migration")
    assert (row["author"], row["ends_at"], row["windows"]) == ("test", None, NIGHTS)
    assert "migration" in as_viewer.get(PAGE, {"format": "csv"}).getvalue().decode()


def test_queries_do_not_grow_with_the_silences(
    as_operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fail(make_cluster())
    for number in range(20):
        make_silence(match={"service": f"web-{number}", "node_meta": {"rack": "r"}})
    with django_assert_max_num_queries(BUDGET):
        text(as_operator, PAGE)


class TestFromAnAlert:
    @pytest.fixture
    def alert(self) -> Alert:
        fail(make_cluster(), "web.1", node="n-1", service="web", service_id="web-1")
        return Alert.objects.get()

    @pytest.mark.parametrize(
        ("scope", "match", "said"),
        [
            (
                "check",
                {
                    "cluster": "dc1",
                    "node": r"n\-1",
                    "service_id": r"web\-1",
                    "check": r"web\.1",
                },
                "Check Check of web.1 is silent for an hour.",
            ),
            ("service", {"cluster": "dc1", "service": "web"}, "Service web is silent for an hour."),
            ("node", {"cluster": "dc1", "node": r"n\-1"}, "Node n-1 is silent for an hour."),
        ],
    )
    def test_one_click(
        self,
        as_operator: Client,
        operator: User,
        alert: Alert,
        scope: str,
        match: dict[str, str],
        said: str,
    ) -> None:
        answer = as_operator.post(
            reverse("silences:from_alert", args=(alert.pk,)), {"scope": scope}
        )
        assert answer["Location"] == reverse("alerts:detail", args=(alert.pk,))
        assert notes(answer) == [said]
        silence = Silence.objects.get()
        assert silence.match == match
        assert silence.ends_at == silence.starts_at + HOUR
        assert (silence.author, silence.comment) == (
            operator,
            f"While alert {alert.pk} is looked into",
        )

    def test_the_reason_may_be_given(self, as_operator: Client, alert: Alert) -> None:
        where = reverse("silences:from_alert", args=(alert.pk,))
        as_operator.post(where, {"scope": "check", "comment": " known "}, headers=HTMX)
        assert Silence.objects.get().comment == "known"

    def test_what_the_check_does_not_have_is_not_silenced(self, as_operator: Client) -> None:
        fail(make_cluster(), "serfHealth", service="", service_id="")
        where = reverse("silences:from_alert", args=(Alert.objects.get().pk,))
        with nothing_changes():
            answer = as_operator.post(where, {"scope": "service"})
        assert notes(answer) == ["Not silenced: this check belongs to no service."]

    def test_an_alert_that_is_not_there(self, as_operator: Client) -> None:
        where = reverse("silences:from_alert", args=(12345,))
        assert as_operator.post(where, {"scope": "check"}).status_code == 404

    def test_the_buttons_of_the_alerts_page(
        self, alert: Alert, operator: User, viewer: User
    ) -> None:
        context = {"alert": alert, "request": RequestFactory().get("/alerts/")}
        shown = render_to_string("silences/_quick.html", {**context, "user": operator})
        assert reverse("silences:from_alert", args=(alert.pk,)) in shown
        assert f"{NEW}?alert={alert.pk}" in shown
        assert [f'value="{scope}"' in shown for scope in ("check", "service", "node")] == [True] * 3
        alert.check_ref.service = ""
        assert 'value="service"' not in render_to_string(
            "silences/_quick.html", {**context, "user": operator}
        )
        assert not render_to_string("silences/_quick.html", {**context, "user": viewer}).strip()

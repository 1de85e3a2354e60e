"""The form of a silence: what it takes, what it refuses beside which field, and its preview."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from consulops.accounts.models import AuditEntry, User
from consulops.alerts.models import Alert
from consulops.silences.models import Silence
from tests.alerts.factories import fail, make_cluster, observation, see
from tests.alerts.pages import HTMX, ODD, notes, text
from tests.silences.things import HOUR, make_silence

pytestmark = pytest.mark.django_db

NEW, PREVIEW = reverse("silences:new"), reverse("silences:preview")
NIGHTS = {"days": ["mon", "tue"], "begin": "22:00", "end": "02:00", "timezone": "Europe/Berlin"}


def filled(**values: Any) -> dict[str, Any]:
    return {
        "match_service": "web",
        "match_status": ["critical", "warning"],
        "lasts": "1h",
        "comment": "migration",
    } | values


def row(number: int, **values: Any) -> dict[str, Any]:
    """One row of the form's windows."""
    usual = {"days": [], "begin": "", "end": "", "timezone": "UTC"}
    return {f"windows-{number}-{key}": value for key, value in {**usual, **values}.items()}


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["form"].errors)


def test_a_silence_is_made(as_operator: Client, operator: User) -> None:
    before = timezone.now()
    answer = as_operator.post(NEW, filled())
    assert answer["Location"] == reverse("silences:list")
    silence = Silence.objects.get()
    assert notes(answer) == [f"Silence #{silence.pk} is made."]
    assert (silence.match, silence.comment) == ({"service": "web"}, "migration")
    assert before <= silence.starts_at <= timezone.now()
    assert silence.ends_at == silence.starts_at + HOUR
    assert (silence.author, silence.windows) == (operator, [])
    assert AuditEntry.objects.filter(action="silence.created", actor=operator).count() == 1


def test_everything_that_it_takes(as_admin: Client) -> None:
    matchers = {
        "match_cluster": "dc1",
        "match_node": r"db-\d",
        "match_tag": " spaced ",
        "match_output": ".*refused",
        "match_service_meta": "team: pay|shop\n\n  tier : [12]:x ",
        "match_status": ["critical"],
        "starts_at": "2099-01-01T10:00",
        "lasts": "1w",
    }
    rows = {**row(0), **row(1, **NIGHTS), **row(2)}
    as_admin.post(NEW, filled(**matchers, **rows))
    silence = Silence.objects.get()
    assert silence.match == {
        "cluster": "dc1",
        "service": "web",
        "node": r"db-\d",
        "tag": " spaced ",
        "output": ".*refused",
        "service_meta": {"team": "pay|shop", "tier": "[12]:x"},
        "status": ["critical"],
    }
    assert silence.starts_at == datetime(2099, 1, 1, 10, tzinfo=UTC)
    assert silence.ends_at == silence.starts_at + timedelta(weeks=1)
    assert silence.windows == [NIGHTS]


def test_until_and_without_end(as_operator: Client, as_admin: Client) -> None:
    end = (timezone.now() + 5 * HOUR).replace(microsecond=0)
    as_operator.post(NEW, filled(lasts="until", ends_at=f"{end:%Y-%m-%dT%H:%M:%S}"))
    assert Silence.objects.get().ends_at == end
    assert "lasts" in errors(as_operator.post(NEW, filled(lasts="endless")))
    as_admin.post(NEW, filled(lasts="endless"))
    assert Silence.objects.without_end().count() == 1
    assert "Without end" not in text(as_operator, NEW)
    assert "Without end" in text(as_admin, NEW)


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"comment": "  "}, "comment", "Say why"),
        ({"match_service": "("}, "match_service", "No regular expression"),
        ({"match_service": "x" * 1001}, "match_service", "at most 1000"),
        ({"match_service_meta": "team"}, "match_service_meta", "Line 1: write it as"),
        ({"match_node_meta": "a: b\na: c"}, "match_node_meta", "Line 2: a stands twice"),
        ({"match_node_meta": "rack: ("}, "match_node_meta", "No regular expression"),
        ({"match_status": []}, "match_status", "Tick at least one"),
        ({"lasts": "for ever"}, "lasts", "Select a valid choice"),
        ({"lasts": "until"}, "ends_at", "Say when"),
        ({"lasts": "until", "ends_at": "2020-01-01T00:00"}, "ends_at", "This time is over"),
        ({"lasts": "until", "ends_at": "2199-01-01T00:00"}, "ends_at", "Longer than a year"),
        ({"lasts": "until", "ends_at": "tomorrow"}, "ends_at", "Enter a valid date"),
        ({"starts_at": "2020-01-01T25:00"}, "starts_at", "Enter a valid date"),
        (row(0, days=["mon"]), "windows", "Row 1, begin: a time of the day"),
        (row(0, begin="22:00", end="02:00"), "windows", "Row 1, days: a list of at least one"),
        (row(0, **NIGHTS | {"timezone": "Mars"}), "windows", "Row 1, timezone: 'Mars'"),
        (row(0, **NIGHTS | {"days": ["someday"]}), "windows", "Row 1, days: 'someday'"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    as_operator: Client, values: dict[str, Any], field: str, said: str
) -> None:
    answer = as_operator.post(NEW, filled(match_tag="my-own-tag", **values))
    found = errors(answer)
    assert list(found) == [field]
    assert said in found[field][0]
    page = answer.content.decode()
    assert f"{found[field][0]}</p>" in html.unescape(page)
    assert "my-own-tag" in page
    assert not Silence.objects.exists()


def test_what_was_typed_is_still_there(as_operator: Client) -> None:
    rows = {**row(0, **NIGHTS | {"begin": ""}), **row(1), **row(2)}
    answer = as_operator.post(
        NEW, filled(match_service="(", match_node_meta="rack: r1", comment=ODD, lasts="4h", **rows)
    )
    assert sorted(errors(answer)) == ["match_service", "windows"]
    page = answer.content.decode()
    assert "rack: r1</textarea>" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "<option selected>Europe/Berlin</option>" in page
    form = answer.context["form"]
    assert form["lasts"].value() == "4h"
    assert form["windows"].value() == [NIGHTS | {"begin": ""}]


def test_everything_needs_its_tick(as_operator: Client) -> None:
    found = errors(as_operator.post(NEW, filled(match_service="")))
    assert found["everything"][0].startswith("It would silence every check")
    as_operator.post(NEW, filled(match_service="", everything="on"))
    assert Silence.objects.get().match == {}


def test_changing_one(as_operator: Client) -> None:
    start = timezone.now() - timedelta(minutes=5)
    silence = make_silence(
        match={"service": "web", "node_meta": {"rack": "r1"}}, starts_at=start, windows=[NIGHTS]
    )
    page = reverse("silences:edit", args=(silence.pk,))
    form = as_operator.get(page).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    rows = row(0, **NIGHTS)
    posted = {
        name: value.strftime("%Y-%m-%dT%H:%M:%S") if isinstance(value, datetime) else value
        for name, value in shown.items()
        if name not in ("windows", "everything")
    }
    # Saved as it was shown, it is as it was: the page drops fractions of seconds.
    answer = as_operator.post(page, posted | rows)
    assert notes(answer) == [f"Silence #{silence.pk} is as it was."]
    answer = as_operator.post(page, posted | {"match_service": "api"})
    assert notes(answer)[-1] == f"Silence #{silence.pk} is saved."
    before = silence.starts_at
    silence.refresh_from_db()
    assert silence.match == {"service": "api", "node_meta": {"rack": "r1"}}
    assert (silence.windows, silence.starts_at) == ([], before)
    assert as_operator.get(reverse("silences:edit", args=(99999,))).status_code == 404


def test_beginning_with_an_alert(as_operator: Client) -> None:
    fail(make_cluster(), "web.1", node="n-1", service="web", service_id="web-1")
    alert = Alert.objects.get()
    answer = as_operator.get(NEW, {"alert": alert.pk})
    form = answer.context["form"]
    values = {name: form[f"match_{name}"].value() for name in ("cluster", "service", "node")}
    assert values == {"cluster": "dc1", "service": "web", "node": r"n\-1"}
    assert form["match_check"].value() == r"web\.1"
    assert form["match_service_id"].value() == r"web\-1"
    assert form["lasts"].value() == "1h"
    # What it would silence is told at once.
    assert "Silences 1 open alert now." in answer.content.decode()


def test_beginning_with_another_silence(as_operator: Client) -> None:
    silence = make_silence(match={"tag": "blue"}, comment="again", windows=[NIGHTS])
    form = as_operator.get(NEW, {"copy": silence.pk}).context["form"]
    assert (form["match_tag"].value(), form["comment"].value()) == ("blue", "again")
    assert form["windows"].value() == [NIGHTS]


@pytest.mark.parametrize("key", ["", "0", "12345", "x", "9" * 40, "\N{SUPERSCRIPT TWO}", "-1"])
def test_beginning_with_what_is_not_there(as_operator: Client, key: str) -> None:
    for name in ("alert", "copy"):
        form = as_operator.get(NEW, {name: key}).context["form"]
        assert not form["match_service"].value()


def _plain(response: Any) -> str:
    """The page with its white space as a browser shows it."""
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


class TestPreview:
    @pytest.fixture(autouse=True)
    def checks(self, db: None) -> None:
        cluster = make_cluster()
        fail(cluster, "web")
        fail(cluster, "api", "warning")
        see(cluster, observation("web2", "passing", service="web"))

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({}, "Silences 1 open alert now.</b> It means 2 of the 3 checks there are."),
            ({"match_status": ["warning"]}, "Silences no open alert now."),
            ({"match_service": ""}, "this means every check"),
            ({"match_service": "("}, "Service: No regular expression"),
            ({"match_node_meta": "x"}, "Node meta: Line 1: write it as key: expression."),
            ({"comment": "", "lasts": "", "windows-0-timezone": "Mars"}, "Silences 1 open alert"),
        ],
    )
    def test_what_it_would_silence(
        self, as_operator: Client, values: dict[str, Any], said: str
    ) -> None:
        fragment = _plain(as_operator.post(PREVIEW, filled(**values), headers=HTMX))
        assert said in fragment
        assert "<form" not in fragment
        # Without scripts it is the same page again, and nothing is called wrong but what is.
        page = _plain(as_operator.post(PREVIEW, filled(**values)))
        assert said in page
        assert "Nothing was saved" not in page
        assert not Silence.objects.exists()

    def test_open_alerts_come_first(self, as_operator: Client) -> None:
        page = as_operator.post(PREVIEW, filled(), headers=HTMX).content.decode()
        alert = Alert.objects.get(check_ref__check_id="web")
        assert page.index(reverse("alerts:detail", args=(alert.pk,))) < page.index("Check of web2")

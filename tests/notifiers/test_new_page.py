"""The form of a new notifier."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from consulops.accounts.models import AuditEntry
from consulops.notifiers.base import GROUPS
from consulops.notifiers.models import Notifier
from consulops.notifiers.registry import kinds
from tests.notifiers.pages import SECRET, notifier, posted, text
from tests.receivers import Answer, WebhookReceiver

NEW = reverse("notifiers:new")
HTMX = {"HX-Request": "true"}


def test_stranger_has_to_sign_in(stranger: Client) -> None:
    assert stranger.get(NEW).status_code == 302
    assert stranger.post(NEW, posted()).status_code == 302
    assert not Notifier.objects.exists()


@pytest.mark.parametrize("who", ["as_viewer", "as_operator"])
def test_only_admins_may_add(who: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.get(NEW).status_code == 403
    assert client.post(NEW, posted()).status_code == 403
    assert client.post(NEW, posted(test="1")).status_code == 403
    assert not Notifier.objects.exists()


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_each_kind_shows_its_own_fields(kind: str, as_admin: Client) -> None:
    page = text(as_admin, NEW, kind=kind)
    for name in kinds()[kind].fields:
        assert f'name="config_{name}"' in page
    assert f'<input type="hidden" name="kind" value="{kind}">' in page


def test_kinds_stand_under_their_headings(as_admin: Client) -> None:
    page = text(as_admin, NEW)
    used = [group for group in GROUPS if any(kind.group == group for kind in kinds().values())]
    places = [page.index(f"<h3>{escape(group)}</h3>") for group in used]
    assert places == sorted(places)
    mail = page[places[used.index("Mail & push")] :].split("<h3>")[1]
    assert 'href="?kind=email"' in mail
    assert 'href="?kind=slack"' not in mail


def test_unknown_kind_shows_a_known_one(as_admin: Client) -> None:
    assert 'name="config_url"' in text(as_admin, NEW, kind="<script>")


def test_saving(as_admin: Client) -> None:
    response = as_admin.post(
        NEW, posted(config_headers=f"Authorization: {SECRET}", config_secret="s1gning")
    )
    assert response["Location"] == reverse("notifiers:list")
    saved = Notifier.objects.get()
    assert (saved.name, saved.kind, saved.timeout_s, saved.enabled) == ("hook", "webhook", 5, True)
    assert saved.config["url"] == "http://127.0.0.1:1/hook"
    assert saved.secrets == {"headers": {"Authorization": SECRET}, "secret": "s1gning"}
    assert AuditEntry.objects.get().actor_name == "ada"


def test_kind_of_the_form_wins_over_that_of_the_address(as_admin: Client) -> None:
    as_admin.post(f"{NEW}?kind=slack", posted())
    assert Notifier.objects.get().kind == "webhook"


def test_errors_are_beside_their_fields_and_nothing_is_saved(as_admin: Client) -> None:
    wrong = posted(config_url="ftp://x", timeout_s="0", config_headers="no colon")
    page = as_admin.post(NEW, wrong).content.decode()
    assert "begins with http://" in page
    assert "greater than or equal to 1" in page
    assert "Line 1 has no colon" in page
    assert not Notifier.objects.exists()


def test_settings_that_do_not_fit_together(as_admin: Client) -> None:
    wrong = {
        "kind": "email",
        "name": "mail",
        "timeout_s": "5",
        "concurrency": "1",
        "config_host": "h",
        "config_port": "25",
        "config_security": "plain",
        "config_username": "u",
        "config_password": "",
        "config_sender": "a@x.org",
        "config_recipients": "b@x.org",
        "config_mails": "message",
        "config_body_is": "text",
    }
    assert "A user name needs a password." in as_admin.post(NEW, wrong).content.decode()


def test_name_that_is_taken(as_admin: Client) -> None:
    notifier()
    page = as_admin.post(NEW, posted()).content.decode()
    assert "already exists" in page
    assert Notifier.objects.count() == 1


def test_secret_is_not_sent_back_after_an_error(as_admin: Client) -> None:
    wrong = posted(name="", config_secret="s1gning", config_headers=f"A: {SECRET}")
    page = as_admin.post(NEW, wrong).content.decode()
    assert "s1gning" not in page
    assert SECRET not in page
    assert page.count("Enter it again") == 2


def test_test_shows_the_answer_in_place(as_admin: Client) -> None:
    with WebhookReceiver() as receiver:
        receiver.answer = Answer(200, "<script>hello</script>")
        form = posted(config_url=receiver.url, config_headers=f"Authorization: {SECRET}", test="1")
        page = as_admin.post(NEW, form, headers=HTMX).content.decode()
        assert receiver.next().headers["Authorization"] == SECRET
    assert "<html" not in page
    assert "Accepted" in page
    assert "HTTP 200 OK: &lt;script&gt;hello" in page
    assert " ms" in page
    assert not Notifier.objects.exists()
    assert AuditEntry.objects.get().action == "notifier.tested"


def test_test_without_scripts_keeps_what_was_typed(as_admin: Client) -> None:
    with WebhookReceiver() as receiver:
        receiver.answer = Answer(503, "closed")
        page = as_admin.post(NEW, posted(config_url=receiver.url, test="1")).content.decode()
        assert f'value="{receiver.url}"' in page
    assert "<html" in page
    assert "Not delivered" in page
    assert "HTTP 503 Service Unavailable: closed" in page


def test_test_of_a_wrong_form_says_what_to_mend(as_admin: Client) -> None:
    page = as_admin.post(NEW, posted(config_url="x", test="1"), headers=HTMX).content.decode()
    assert "Not sent: mend these first." in page
    assert "Address: Enter an address" in page


def test_number_of_queries(as_admin: Client, django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(5):  # type: ignore[operator]  # a fixture of pytest-django
        text(as_admin, NEW)

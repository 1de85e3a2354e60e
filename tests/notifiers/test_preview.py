"""Own words in the form: the preview on past messages and samples, and errors at their place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Delivery
from consulops.notifiers.base import Message
from consulops.notifiers.models import Notifier
from tests.notifiers.harness import facts, message
from tests.notifiers.pages import notifier, text

NEW = reverse("notifiers:new")
HTMX = {"HX-Request": "true"}
NOW = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def past(about: Message, minutes: int = 0) -> Delivery:
    at = NOW + timedelta(minutes=minutes)
    return Delivery.objects.create(
        notifier_name="gone",
        reason=about.reason,
        lane="x",
        message=about.to_dict(),
        created_at=at,
        next_attempt_at=at,
    )


def typed(**changes: Any) -> dict[str, Any]:
    """What the form of a request sends; a value of None leaves the field out."""
    values = {
        "kind": "http",
        "name": "hook",
        "enabled": "on",
        "timeout_s": "5",
        "concurrency": "8",
        "config_url": "http://127.0.0.1:1/hook",
        "config_method": "POST",
        "config_authentication": "none",
        "config_content_type": "application/json",
        "config_verify_tls": "on",
        "body_template": "",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def preview(client: Client, **changes: Any) -> str:
    """The part of the page that htmx asks for."""
    response = client.post(NEW, typed(preview="1", **changes), headers=HTMX)
    page = response.content.decode()
    assert response.status_code == 200
    assert "<html" not in page
    return page


def test_only_kinds_with_templates_ask_for_them(as_admin: Client) -> None:
    assert 'name="subject_template"' not in text(as_admin, NEW, kind="webhook")
    page = text(as_admin, NEW, kind="http")
    assert 'name="body_template"' in page
    assert 'name="subject_template"' not in page
    assert 'name="subject_template"' in text(as_admin, NEW, kind="email")


def test_past_messages_are_offered_once_newest_first(as_admin: Client) -> None:
    past(message(facts(node="older")))
    past(message(facts(node="newer")), minutes=1)
    past(message(facts(node="newer"), id="another"), minutes=2)
    past(message(facts(node="<b>"), reason="resolved"), minutes=3)
    page = text(as_admin, NEW, kind="http")
    first = page.index("2026-01-01 12:33 resolved: CRITICAL web on &lt;b&gt;: HTTP")
    second = page.index("2026-01-01 12:32 opened: CRITICAL web on newer: HTTP")
    third = page.index("2026-01-01 12:30 opened: CRITICAL web on older: HTTP")
    assert first < second < third < page.index(">One alert</option>")
    assert page.count("on newer: HTTP") == 1


def test_preview_of_a_past_message(as_admin: Client) -> None:
    one = past(message(facts(node="n7", output="<script>")))
    page = preview(
        as_admin,
        preview_of=str(one.pk),
        body_template='{"n": {{ alert.node|tojson }},\r\n "o": {{ alert.output|tojson }}}',
    )
    assert "{&quot;n&quot;: &quot;n7&quot;,\n &quot;o&quot;: &quot;&lt;script&gt;&quot;}" in page
    assert not Notifier.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("chosen", ["A recovery", "Several alerts"])
def test_preview_of_a_sample(chosen: str, as_admin: Client) -> None:
    page = preview(as_admin, preview_of=chosen, body_template="[{{ alerts|length }}]")
    assert ("[1]" if chosen == "A recovery" else "[4]") in page


@pytest.mark.parametrize("chosen", ["", "0", "9" * 40, "-1", "٣", "no such sample"])
def test_preview_of_what_is_not_there_is_one_of_a_sample(chosen: str, as_admin: Client) -> None:
    assert "[1]" in preview(as_admin, preview_of=chosen, body_template="[{{ alerts|length }}]")


def test_subject_is_shown_on_one_line(as_admin: Client) -> None:
    page = preview(as_admin, kind="email", subject_template="{{ cluster }}\n  {{ reason }}")
    assert "<pre>example opened</pre>" in page
    assert "own words are sent" in page


def test_wrong_template_says_line_and_reason(as_admin: Client) -> None:
    page = preview(as_admin, body_template='{"a": 1,\n"b": {{ alert.nod|tojson }}}')
    assert "Line 2: An alert has no attribute &#x27;nod&#x27;." in page


def test_json_is_checked_by_the_content_type_that_is_typed(as_admin: Client) -> None:
    assert "The body is no JSON" in preview(as_admin, body_template="{{ title }}")
    page = preview(as_admin, body_template="{{ title }}", config_content_type="text/plain")
    assert "The body is no JSON" not in page


def test_preview_needs_nothing_else_to_be_right(as_admin: Client) -> None:
    page = preview(as_admin, name="", config_url="", body_template="[{{ alert.id }}]")
    assert "[12]" in page


def test_preview_without_scripts_keeps_what_was_typed(as_admin: Client) -> None:
    one = past(message(facts(node="n7")))
    form = typed(preview="1", preview_of=str(one.pk), body_template="[{{ alert.node|tojson }}]")
    page = as_admin.post(NEW, form).content.decode()
    assert "<html" in page
    assert "[&quot;n7&quot;]" in page
    assert "[{{ alert.node|tojson }}]</textarea>" in page
    assert f'<option value="{one.pk}"' in page
    assert page.split(f'<option value="{one.pk}"')[1].split(">")[0].strip() == "selected"
    assert not Notifier.objects.exists()


def test_templates_are_saved_and_audited(as_admin: Client) -> None:
    as_admin.post(NEW, typed(body_template='{"a":\r\n{{ alert.node|tojson }}}'))
    saved = Notifier.objects.get()
    assert saved.body_template == '{"a":\n{{ alert.node|tojson }}}'
    entry = AuditEntry.objects.get()
    assert entry.detail["changed"]["body_template"]["to"] == saved.body_template
    page = text(as_admin, reverse("notifiers:edit", args=[saved.pk]))
    assert "{{ alert.node|tojson }}}</textarea>" in page


def test_template_of_blanks_is_none(as_admin: Client) -> None:
    as_admin.post(NEW, typed(body_template=" \r\n "))
    assert Notifier.objects.get().body_template == ""


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{% if %}", "Line 1: Expected an expression"),
        ("{{ nodes }}", "Line 1: &#x27;nodes&#x27; is undefined; there are alerts, alert"),
        ("{{ alerts[1].node|tojson }}", "Line 1: List object has no element 1. (Tried with: one"),
        ('"{{ alert.output }}"', "The body is no JSON"),
        ("x" * 20_001, "at most 20000 characters"),
    ],
)
def test_wrong_template_is_not_saved(template: str, error: str, as_admin: Client) -> None:
    page = as_admin.post(NEW, typed(body_template=template)).content.decode()
    assert error in page
    assert 'aria-invalid="true"' in page
    assert not Notifier.objects.exists()


def test_template_for_a_kind_without_them_is_not_stored(as_admin: Client) -> None:
    one = notifier()
    form = typed(kind="webhook", body_template="{{ title }}", subject_template="x")
    as_admin.post(reverse("notifiers:edit", args=[one.pk]), form)
    one.refresh_from_db()
    assert (one.subject_template, one.body_template) == ("", "")


@pytest.mark.parametrize("who", ["as_viewer", "as_operator"])
def test_only_admins_may_look_at_past_messages(who: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.post(NEW, typed(preview="1"), headers=HTMX).status_code == 403

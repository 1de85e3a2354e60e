"""The pages of events: who sees what, what they say, and what each button does."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from consulops.accounts.models import AuditEntry
from consulops.clusters.models import Cluster
from consulops.core.paging import SIZE
from consulops.events.models import Event, EventHandler, Feed, Run
from consulops.lab.cluster import LocalCluster
from tests.events.things import (
    make_event,
    make_handler,
    make_program_handler,
    make_run,
    write_program,
)
from tests.receivers import Answer, WebhookReceiver

LIST, FIRE = reverse("events:list"), reverse("events:fire")
HANDLERS, NEW = reverse("events:handlers"), reverse("events:handler_new")
HTMX = {"HX-Request": "true"}
ODD = "<script>alert(1)</script>/ünï \"quoted\" & 'co'"
SECRET = "s3cr3t-value"
BUDGET = 12


def text(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def shown(client: Client, **query: str) -> list[str]:
    response = client.get(LIST, query)
    return [event.name for event in response.context["page"].rows]


def filled(**changes: Any) -> dict[str, Any]:
    """The handler's form as a person fills it in."""
    values = {
        "kind": "webhook",
        "name": "hook",
        "enabled": "on",
        "event_pattern": "deploy-.*",
        "cluster_pattern": ".*",
        "timeout_s": "30",
        "config_url": "http://127.0.0.1:1/hook",
        "config_verify_tls": "on",
    }
    return values | changes


# ---- who may do what


@pytest.mark.parametrize("who", ["as_viewer", "as_operator", "as_admin"])
def test_everybody_sees(request: pytest.FixtureRequest, cluster: Cluster, who: str) -> None:
    client: Client = request.getfixturevalue(who)
    event = make_event(cluster)
    for address in (LIST, HANDLERS, reverse("events:detail", args=[event.pk])):
        assert client.get(address).status_code == 200


def test_strangers_sign_in_first(stranger: Client, cluster: Cluster) -> None:
    event, handler = make_event(cluster), make_handler()
    pages = [LIST, FIRE, HANDLERS, NEW, reverse("events:detail", args=[event.pk])]
    pages += [reverse("events:handler_edit", args=[handler.pk])]
    for address in pages:
        assert stranger.get(address)["Location"].startswith("/login/")


def test_viewers_cause_nothing(as_viewer: Client, cluster: Cluster, hook: WebhookReceiver) -> None:
    handler = make_handler(url=hook.url)
    key = [handler.pk]
    for address in (FIRE, NEW, reverse("events:handler_edit", args=key)):
        assert as_viewer.get(address).status_code == 403
        assert as_viewer.post(address, filled(cluster="dc1")).status_code == 403
    for name in ("events:handler_test", "events:handler_delete"):
        assert as_viewer.post(reverse(name, args=key)).status_code == 403
    assert hook.requests == []
    assert EventHandler.objects.count() == 1
    assert "Fire an event" not in text(as_viewer, LIST)
    page = text(as_viewer, HANDLERS)
    assert "Add handler" not in page
    assert reverse("events:handler_test", args=key) not in page


def test_operators_fire_and_test_but_do_not_edit(as_operator: Client, cluster: Cluster) -> None:
    key = [make_handler().pk]
    assert as_operator.get(FIRE).status_code == 200
    assert as_operator.post(reverse("events:handler_test", args=key)).status_code == 200
    for address in (NEW, reverse("events:handler_edit", args=key)):
        assert as_operator.get(address).status_code == 403
    assert as_operator.post(reverse("events:handler_delete", args=key)).status_code == 403


def test_a_get_changes_nothing(as_admin: Client, cluster: Cluster) -> None:
    key = [make_handler().pk]
    for name in ("events:handler_test", "events:handler_delete"):
        assert as_admin.get(reverse(name, args=key)).status_code == 405
    assert EventHandler.objects.exists()


# ---- the list


def test_newest_first_and_filters(as_viewer: Client, cluster: Cluster) -> None:
    other = Cluster.objects.create(name="dc2", address="http://127.0.0.1:2")
    for minutes, where, name in (
        (3, cluster, "deploy-web"),
        (2, other, "deploy-db"),
        (1, cluster, "x"),
    ):
        make_event(where, name, seen_at=timezone.now() - timedelta(minutes=minutes))
    assert shown(as_viewer) == ["x", "deploy-db", "deploy-web"]
    assert shown(as_viewer, cluster="dc2") == ["deploy-db"]
    assert shown(as_viewer, q="WEB deploy") == ["deploy-web"]
    assert shown(as_viewer, q="none\x00") == []
    assert "No event matches" in text(as_viewer, LIST, q="none")


def test_those_whose_handler_failed(as_viewer: Client, cluster: Cluster) -> None:
    handler = make_handler()
    for state in ("done", "queued", "failed", "timed out", "lost"):
        make_run(make_event(cluster, state), handler, state=state)
    assert sorted(shown(as_viewer, state="wrong")) == ["failed", "lost", "timed out"]
    page = text(as_viewer, LIST)
    for word in ("Done", "Queued", "Failed", "Timed out", "Lost"):
        assert word in page


def test_payloads_in_short(as_viewer: Client, cluster: Cluster) -> None:
    make_event(cluster, "text", b"two\nlines " + b"x" * 200)
    make_event(cluster, "bytes", b"\x00\xff\x10")
    page = text(as_viewer, LIST)
    assert "two lines xxx" in page
    assert "x" * 100 not in page
    assert "00 ff 10" in page


def test_pages_by_key(as_viewer: Client, cluster: Cluster) -> None:
    for number in range(SIZE + 10):
        make_event(cluster, f"n{number}")
    first = as_viewer.get(LIST).context["page"]
    rest = shown(as_viewer, after=first.following)
    assert len(rest) == 10
    assert not {event.name for event in first.rows} & set(rest)


def test_the_same_as_csv_and_json(as_viewer: Client, cluster: Cluster) -> None:
    make_run(make_event(cluster, "bytes", b"\xff", node_filter="n.*"), make_handler(), state="done")
    make_event(cluster, "text", b"v1")
    rows = json.loads(as_viewer.get(LIST, {"format": "json"}).getvalue())
    assert [(row["name"], row["payload"], row["payload_encoding"]) for row in rows] == [
        ("text", "v1", "utf-8"),
        ("bytes", "/w==", "base64"),
    ]
    answer = as_viewer.get(LIST, {"format": "csv", "q": "bytes"})
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["cluster"], row["node_filter"], row["handlers"]) == ("dc1", "n.*", "hook: done")


def test_trouble_is_loud(as_viewer: Client, cluster: Cluster) -> None:
    feed = Feed.objects.create(cluster=cluster, error="Permission denied. Give it event:read.")
    assert "cannot be read" in text(as_viewer, LIST)
    feed.error, feed.gap_at = "", timezone.now()
    feed.save()
    page = text(as_viewer, LIST)
    assert "may be missing" in page
    assert "may be missing" not in text(as_viewer, LIST, cluster="dc2")
    Feed.objects.update(gap_at=timezone.now() - timedelta(days=3))
    assert "may be missing" not in text(as_viewer, LIST)


def test_what_an_empty_list_says(as_viewer: Client) -> None:
    assert "Nothing is watched yet" in text(as_viewer, LIST)
    Cluster.objects.create(name="dc1", address="http://127.0.0.1:1")
    assert "No event yet" in text(as_viewer, LIST)


def test_queries_do_not_grow(
    as_operator: Client, cluster: Cluster, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    handlers = [make_handler(f"h{number}") for number in range(3)]
    for _ in range(SIZE):
        event = make_event(cluster)
        for handler in handlers:
            make_run(event, handler, output="x" * 1000)
    for address in (LIST, HANDLERS, reverse("events:detail", args=[event.pk])):
        with django_assert_max_num_queries(BUDGET):
            assert as_operator.get(address).status_code == 200


# ---- one event


def test_an_event_with_everything(as_viewer: Client, cluster: Cluster) -> None:
    event = make_event(cluster, ODD, ODD.encode(), service_filter=ODD)
    make_run(event, make_handler(ODD[:60]), state="failed", result=ODD, output=ODD)
    page = text(as_viewer, reverse("events:detail", args=[event.pk]))
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5
    assert "0000  3c 73 63" in page
    assert event.event_id in page
    assert "<script>alert" not in text(as_viewer, LIST)


def test_bytes_are_dumped(as_viewer: Client, cluster: Cluster) -> None:
    event = make_event(cluster, payload=bytes(range(32, 64)) + b"\x00")
    page = text(as_viewer, reverse("events:detail", args=[event.pk]))
    assert "Not text" in page
    assert "0010  30 31 32" in page
    assert "0020  00" in page


def test_an_event_from_before(as_viewer: Client, cluster: Cluster) -> None:
    event = make_event(cluster, payload=b"", fresh=False)
    page = text(as_viewer, reverse("events:detail", args=[event.pk]))
    assert "It has none." in page
    assert "nothing runs for it" in page


def test_no_such_event_and_another_cluster(as_viewer: Client, cluster: Cluster) -> None:
    assert as_viewer.get(reverse("events:detail", args=[1])).status_code == 404
    event = make_event(cluster)
    answer = as_viewer.get(reverse("events:detail", args=[event.pk]), {"cluster": "dc2"})
    assert answer["Location"] == f"{LIST}?cluster=dc2"


# ---- firing


@pytest.mark.consul
def test_an_event_is_fired(as_operator: Client, consul: LocalCluster) -> None:
    Cluster.objects.create(name="dc1", address=consul.address)
    form = {"cluster": "dc1", "name": "deploy web", "payload": "a\r\nb", "node": ".*"}
    answer = as_operator.post(FIRE, form)
    assert answer["Location"] == LIST
    listed = [one for one in consul.call("GET", "event/list") if one["Name"] == "deploy web"]
    assert [(one["Payload"], one["NodeFilter"]) for one in listed] == [("YQpi", ".*")]
    entry = AuditEntry.objects.get(action="event.fired")
    assert (entry.actor_name, entry.object_name) == ("otto", "dc1")
    assert entry.detail["id"] == listed[0]["ID"]
    assert entry.detail["node_filter"] == ".*"
    assert "deploy web is fired" in str(next(iter(get_messages(answer.wsgi_request))))


@pytest.mark.consul
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"payload": "x" * 600}, "configured limit of 512 bytes"),
        ({"node": "("}, "Invalid node filter"),
        ({"name": "a//b"}, "empty part"),
    ],
)
def test_consuls_own_words(
    as_operator: Client, consul: LocalCluster, changes: dict[str, str], said: str
) -> None:
    Cluster.objects.create(name="dc1", address=consul.address)
    page = as_operator.post(FIRE, {"cluster": "dc1", "name": "a"} | changes).content.decode()
    assert said in page
    assert "tried again" not in page
    assert said in AuditEntry.objects.get(action="event.not_fired").detail["error"]


@pytest.mark.consul
def test_a_token_that_may_not_fire(as_operator: Client, consul_binary: Path) -> None:
    with LocalCluster(consul_binary, acl=True) as guarded:
        Cluster.objects.create(name="dc1", address=guarded.address)
        page = as_operator.post(FIRE, {"cluster": "dc1", "name": "a"}).content.decode()
    assert "Permission denied" in page
    assert "event:write" in page


def test_nothing_is_fired_into_a_read_only_cluster(as_operator: Client, cluster: Cluster) -> None:
    Cluster.objects.update(read_only=True)
    answer = as_operator.post(FIRE, {"cluster": "dc1", "name": "a"})
    assert "not one of the available choices" in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_what_the_form_asks_for(as_operator: Client, cluster: Cluster) -> None:
    page = text(as_operator, FIRE, cluster="dc1", again="999999999999")
    assert "512 bytes" in page
    answer = as_operator.post(FIRE, {"cluster": "dc1", "tag": "x"})
    assert set(answer.context["form"].errors) == {"name", "tag"}


def test_an_event_is_fired_again_as_it_was(as_operator: Client, cluster: Cluster) -> None:
    event = make_event(cluster, ODD, b"v1", node_filter="n.*")
    form = as_operator.get(FIRE, {"again": event.pk}).context["form"]
    values = {name: form[name].value() for name in form.fields}
    assert values == {
        **{"cluster": "dc1", "name": ODD, "payload": "v1"},
        **{"node": "n.*", "service": "", "tag": ""},
    }
    assert "Fire again" in text(as_operator, reverse("events:detail", args=[event.pk]))
    # Its bytes would not survive a text field.
    event = make_event(cluster, payload=b"\xff")
    assert "Fire again" not in text(as_operator, reverse("events:detail", args=[event.pk]))


def test_a_cluster_that_does_not_answer(as_operator: Client, cluster: Cluster) -> None:
    page = as_operator.post(FIRE, {"cluster": "dc1", "name": "a"}).content.decode()
    assert "refused" in page


# ---- handlers


def test_a_handler_is_made_and_changed(as_admin: Client, db: None) -> None:
    answer = as_admin.post(NEW, filled(config_secret=SECRET, config_headers=f"X-Key: {SECRET}"))
    assert answer["Location"] == HANDLERS
    handler = EventHandler.objects.get()
    assert handler.secrets == {"secret": SECRET, "headers": {"X-Key": SECRET}}
    assert (handler.event_pattern, handler.kind, handler.timeout_s) == ("deploy-.*", "webhook", 30)
    edit = reverse("events:handler_edit", args=[handler.pk])
    page = text(as_admin, edit)
    assert SECRET not in page
    assert "Set on" in page
    as_admin.post(edit, filled(name="other", timeout_s="5"))
    handler.refresh_from_db()
    assert (handler.name, handler.timeout_s) == ("other", 5)
    assert handler.secrets["secret"] == SECRET
    assert AuditEntry.objects.filter(action__startswith="event_handler.").count() == 2
    assert SECRET not in str(list(AuditEntry.objects.values_list("detail")))


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": ""}, "name", "required"),
        ({"event_pattern": "("}, "event_pattern", "regular expression"),
        ({"cluster_pattern": "[a"}, "cluster_pattern", "regular expression"),
        ({"event_pattern": ""}, "event_pattern", "required"),
        ({"timeout_s": "0"}, "timeout_s", "greater than or equal to 1"),
        ({"config_url": "ftp://x"}, "config_url", "http"),
        ({"kind": "executable", "config_program": "../sh"}, "config_program", "not the name"),
        ({"kind": "executable", "config_program": "absent"}, "config_program", "no program"),
        ({"kind": "executable", "config_program": ""}, "config_program", "required"),
    ],
)
def test_errors_stand_beside_their_field(
    as_admin: Client, folder: Path, changes: dict[str, str], field: str, said: str
) -> None:
    answer = as_admin.post(NEW, filled(**changes))
    assert said in " ".join(answer.context["form"].errors[field])
    assert not EventHandler.objects.exists()


def test_a_program_is_chosen_among_those_allowed(as_admin: Client, folder: Path) -> None:
    write_program(folder, "true", "restart-web")
    (folder / "notes.txt").write_text("")
    page = text(as_admin, NEW, kind="executable")
    assert '<option value="restart-web">' in page
    assert "“notes.txt” is not executable." in page
    as_admin.post(
        NEW, filled(kind="executable", config_program="restart-web", config_arguments="-v\na b")
    )
    handler = EventHandler.objects.get()
    assert handler.config == {"program": "restart-web", "arguments": ["-v", "a b"]}
    assert "-v\na b" in text(as_admin, reverse("events:handler_edit", args=[handler.pk]))


def test_a_taken_name(as_admin: Client, db: None) -> None:
    make_handler("hook")
    assert "already exists" in as_admin.post(NEW, filled()).content.decode()


def test_a_handler_is_deleted_and_its_history_stays(as_admin: Client, cluster: Cluster) -> None:
    handler = make_handler("old-hook")
    event = make_event(cluster)
    make_run(event, handler, state="done")
    as_admin.post(reverse("events:handler_delete", args=[handler.pk]))
    assert not EventHandler.objects.exists()
    assert "old-hook" in text(as_admin, reverse("events:detail", args=[event.pk]))


def test_the_list_of_handlers(as_admin: Client, cluster: Cluster) -> None:
    handler = make_handler("one", url="http://hooks.example/secret-path")
    make_handler("two", enabled=False)
    for state in ("done", "done", "failed", "queued"):
        make_run(make_event(cluster), handler, state=state)
    old = timezone.now() - timedelta(days=2)
    make_run(make_event(cluster), handler, state="done", created_at=old)
    page = text(as_admin, HANDLERS)
    assert "hooks.example" in page
    assert "secret-path" not in page
    assert "Switched off" in page
    rows = json.loads(as_admin.get(HANDLERS, {"format": "json"}).getvalue())
    assert [(row["name"], row["done"], row["wrong"], row["waiting"]) for row in rows] == [
        ("one", 2, 1, 1),
        ("two", 0, 0, 0),
    ]


# ---- trying one out


def test_a_webhook_is_tried_with_a_made_up_event(
    as_operator: Client, cluster: Cluster, hook: WebhookReceiver
) -> None:
    hook.answer = Answer(status=418, body="I am a teapot")
    handler = make_handler(url=hook.url, event_pattern="deploy")
    address = reverse("events:handler_test", args=[handler.pk])
    page = as_operator.post(address, headers=HTMX).content.decode()
    assert "I am a teapot" in page
    assert "<html" not in page
    assert "<html" in as_operator.post(address).content.decode()
    body = hook.next().json()
    assert (body["test"], body["name"]) == (True, "deploy")
    assert "otto" in body["payload"]
    assert not Event.objects.exists()
    assert not Run.objects.exists()
    assert AuditEntry.objects.filter(action="event_handler.tested").count() == 2


def test_a_program_is_tried_for_real(as_operator: Client, folder: Path, db: None) -> None:
    handler = make_program_handler(write_program(folder, "echo it ran; exit 4"))
    page = as_operator.post(reverse("events:handler_test", args=[handler.pk])).content.decode()
    assert "it ran" in page
    assert "Exit code 4." in page


def test_a_trial_does_not_hold_the_page_for_ever(
    as_operator: Client, folder: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consulops.events.trial.LONGEST_S", 0.2)
    handler = make_program_handler(write_program(folder, "sleep 300"), timeout_s=3600)
    page = as_operator.post(reverse("events:handler_test", args=[handler.pk])).content.decode()
    assert "Killed" in page


def test_what_is_in_the_form_is_tried_without_saving(
    as_admin: Client, hook: WebhookReceiver, db: None
) -> None:
    form = filled(test="1", config_url=hook.url, config_secret=SECRET)
    page = as_admin.post(NEW, form).content.decode()
    assert "HTTP 200 OK" in page
    assert SECRET not in page
    assert not EventHandler.objects.exists()
    wrong = as_admin.post(NEW, form | {"config_url": ""}, headers=HTMX).content.decode()
    assert "mend these first" in wrong
    assert len(hook.requests) == 1

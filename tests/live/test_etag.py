"""304 for a fragment that cannot have changed, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from consulops.accounts.models import Role, User
from consulops.live import etag
from consulops.live.etag import fresh_by
from consulops.live.hub import Hub


class Page:
    """A view that counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0
        self.status = 200
        self.view = fresh_by("checks", "alerts")(self.show)

    def show(self, request: HttpRequest) -> HttpResponse:
        self.runs += 1
        return HttpResponse("rows", status=self.status)

    def ask(
        self,
        known: str = "",
        path: str = "/checks/",
        user: User | None = None,
        session: str = "the-first-session",
        method: str = "get",
        headers: dict[str, str] | None = None,
    ) -> HttpResponseBase:
        asked = {"HX-Request": "true", "If-None-Match": known, **(headers or {})}
        request = getattr(RequestFactory(), method)(path, headers=asked)
        request.user = user or User(pk=1, role=Role.VIEWER)
        request.session = SessionStore(session)
        answer: HttpResponseBase = self.view(request)
        return answer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub whose link is up."""
    hub = Hub()
    hub._on_news("", "")
    monkeypatch.setattr(etag, "hub", hub)
    return hub


def test_the_second_time_the_view_does_not_run(hub: Hub) -> None:
    page = Page()
    tag = page.ask()["ETag"]
    again = page.ask(tag)
    assert (again.status_code, page.runs) == (304, 1)
    assert again["ETag"] == tag
    assert "HX-Request" in again["Vary"]
    assert "private" in again["Cache-Control"]


@pytest.mark.parametrize(("topic", "status"), [("checks", 200), ("alerts", 200), ("users", 304)])
def test_a_ring_of_its_topics_makes_it_old(hub: Hub, topic: str, status: int) -> None:
    page = Page()
    tag = page.ask()["ETag"]
    hub._on_news("live", topic)
    assert page.ask(tag).status_code == status


def test_a_ring_while_the_view_runs_is_not_lost(hub: Hub) -> None:
    page = Page()

    def show(request: HttpRequest) -> HttpResponse:
        hub._on_news("live", "checks")
        return HttpResponse("read before the ring")

    page.view = fresh_by("checks")(show)
    assert page.ask(page.ask()["ETag"]).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        lambda page, tag: page.ask(tag, user=User(pk=2, role=Role.VIEWER)),
        lambda page, tag: page.ask(tag, user=User(pk=1, role=Role.ADMIN)),
        lambda page, tag: page.ask(tag, session="another-session"),
        lambda page, tag: page.ask(tag, path="/checks/?q=web"),
        lambda page, tag: page.ask(tag, headers={"HX-Target": "rows"}),
    ],
    ids=["person", "role", "session", "address", "target"],
)
def test_another_person_address_or_target_is_another_fragment(
    hub: Hub, other: Callable[[Page, str], HttpResponseBase]
) -> None:
    page = Page()
    tag = page.ask()["ETag"]
    assert other(page, tag).status_code == 200


def test_whole_pages_are_always_rendered(hub: Hub) -> None:
    page = Page()
    tag = page.ask()["ETag"]
    for header, value in (("HX-Request", "no"), ("HX-Boosted", "true")):
        answer = page.ask(tag, headers={header: value})
        assert answer.status_code == 200
        assert "ETag" not in answer
        assert "HX-Request" in answer["Vary"]


def test_nothing_is_promised_without_a_link(hub: Hub) -> None:
    page = Page()
    tag = page.ask()["ETag"]
    hub.is_connected = False
    answer = page.ask(tag)
    assert answer.status_code == 200
    assert "ETag" not in answer


def test_only_good_answers_to_reads_are_marked(hub: Hub) -> None:
    page = Page()
    assert "ETag" not in page.ask(method="post")
    page.status = 404
    assert "ETag" not in page.ask()


def test_a_slip_in_a_topic_is_found_when_the_view_is_made() -> None:
    with pytest.raises(ValueError, match="chekcs"):
        fresh_by("chekcs")

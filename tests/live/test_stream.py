"""The stream that rings open pages, end to end: a real web process, a real PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from consulops.accounts.models import Role
from consulops.core import postgres
from consulops.live.services import publish
from consulops.live.views import STREAMS_OF_A_PERSON
from tests.live.server import APPLICATION, Stream, Web, cookie_of, running
from tests.people import make_user
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


def connections() -> list[str]:
    """The last statement of every connection that the web process holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query FROM pg_stat_activity WHERE application_name = %s", [APPLICATION]
        )
        return [query for (query,) in cursor.fetchall()]


def opened(stack: ExitStack, web: Web, cookie: str, topics: str = "checks") -> Stream:
    stream = Stream(web, cookie, topics)
    stack.callback(stream.close)
    return stream


def test_a_ring_reaches_those_who_asked_for_it_at_commit(web: Web, stack: ExitStack) -> None:
    stream = opened(stack, web, cookie_of(make_user("first", Role.VIEWER)))
    assert stream.event() == "hello"
    other = opened(stack, web, cookie_of(make_user("vera", Role.VIEWER)), "alerts,checks")
    assert other.event() == "hello"
    with transaction.atomic():
        publish("alerts")
        publish("checks")
        publish("checks")
    assert stream.event() == "checks"
    assert {other.event(), other.event()} == {"alerts", "checks"}
    with transaction.atomic():
        publish("alerts")
        transaction.set_rollback(True)
    publish("checks")
    assert other.event() == "checks"


def test_the_answer_is_a_stream_that_no_proxy_keeps_back(web: Web, stack: ExitStack) -> None:
    stream = opened(stack, web, cookie_of(make_user("first", Role.VIEWER)))
    head = stream.response.headers
    assert head["Content-Type"] == "text/event-stream"
    assert "no-cache" in head["Cache-Control"]
    assert head["X-Accel-Buffering"] == "no"
    assert head["Content-Encoding"] is None


def test_sixty_streams_hold_one_database_connection(web: Web, stack: ExitStack) -> None:
    stream = opened(stack, web, cookie_of(make_user("first", Role.VIEWER)))
    assert stream.event() == "hello"
    others = [
        opened(stack, web, cookie)
        for cookie in (
            cookie_of(make_user("a", Role.VIEWER)),
            cookie_of(make_user("b", Role.VIEWER)),
        )
        for _ in range(30)
    ]
    assert [other.event() for other in others] == ["hello"] * 60
    eventually(lambda: len(connections()) == 1)
    assert connections()[0].startswith("LISTEN")
    publish("checks")
    assert {one.event() for one in (stream, *others)} == {"checks"}
    assert len(connections()) == 1


def test_streams_do_not_use_up_the_pool(stack: ExitStack, tmp_path: Path) -> None:
    web = stack.enter_context(running(tmp_path, "web"))
    cookie = cookie_of(make_user("vera", Role.VIEWER))
    streams = [opened(stack, web, cookie) for _ in range(25)]
    assert [stream.event() for stream in streams] == ["hello"] * 25
    assert web.ask("/live/frame", cookie).status == 200


def test_strangers_and_unknown_topics_are_turned_away(web: Web, stack: ExitStack) -> None:
    guessed = f"{settings.SESSION_COOKIE_NAME}=guessed"
    assert opened(stack, web, "").status == 401
    assert opened(stack, web, guessed).status == 401
    assert (
        opened(stack, web, cookie_of(make_user("vera", Role.VIEWER)), "checks,secrets").status
        == 400
    )


def test_only_admins_hear_of_people_and_the_audit(web: Web, stack: ExitStack) -> None:
    viewer = opened(stack, web, cookie_of(make_user("vera", Role.VIEWER)), "audit,users,checks")
    admin = opened(stack, web, cookie_of(make_user("ada", Role.ADMIN)), "audit,users,checks")
    assert (viewer.event(), admin.event()) == ("hello", "hello")
    publish("audit", "users")
    assert {admin.event(), admin.event()} == {"audit", "users"}
    publish("checks")
    assert viewer.event() == "checks"


def test_a_person_has_so_many_streams_and_gets_them_back(web: Web, stack: ExitStack) -> None:
    cookie = cookie_of(make_user("vera", Role.VIEWER))
    streams = [opened(stack, web, cookie) for _ in range(STREAMS_OF_A_PERSON)]
    assert {stream.event() for stream in streams} == {"hello"}
    refused = opened(stack, web, cookie)
    assert refused.status == 429
    assert refused.response.headers["Retry-After"]
    streams[0].close()
    eventually(lambda: opened(stack, web, cookie).status == 200)


def test_a_broken_link_is_opened_again_and_everything_rings(web: Web, stack: ExitStack) -> None:
    stream = opened(stack, web, cookie_of(make_user("vera", Role.VIEWER)), "alerts,checks")
    assert stream.event() == "hello"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND query LIKE 'LISTEN%%'",
            [APPLICATION],
        )
    assert {stream.event(), stream.event()} == {"alerts", "checks"}
    publish("alerts")
    assert stream.event() == "alerts"


def test_a_fragment_is_fetched_again_only_after_a_ring(web: Web, stack: ExitStack) -> None:
    """The whole way: an ETag while nothing rings, a new body after a ring."""
    stream = opened(stack, web, cookie_of(make_user("first", Role.VIEWER)))
    assert stream.event() == "hello"
    cookie = cookie_of(make_user("vera", Role.VIEWER))
    asked = {"HX-Request": "true"}
    answer = web.ask("/fragment/", cookie, asked)
    assert answer.status == 200
    tag = answer.headers["ETag"]
    assert web.ask("/fragment/", cookie, {**asked, "If-None-Match": tag}).status == 304
    publish("checks")
    assert stream.event() == "checks"
    assert web.ask("/fragment/", cookie, {**asked, "If-None-Match": tag}).status == 200


def test_only_names_of_topics_are_published() -> None:
    with pytest.raises(ValueError, match="no such topic"):
        publish("chekcs")
    with psycopg.connect(**postgres.listen_parameters(), autocommit=True) as link:
        link.execute(f"LISTEN {postgres.LIVE}")
        publish("checks")
        assert [news.payload for news in link.notifies(timeout=10, stop_after=1)] == ["checks"]

"""The web process that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from pytest_django import DjangoDbBlocker

from consulops.accounts.models import Role
from tests.live.server import Stream, Web, cookie_of, running
from tests.people import make_user


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Web]:
    """One process for all tests of this file; its link to the database is up."""
    with django_db_blocker.unblock(), running(tmp_path_factory.mktemp("web")) as web:
        user = make_user("first", Role.VIEWER)
        with closing(Stream(web, cookie_of(user))) as stream:
            assert stream.status == 200, web.log.read_text()
            # It comes up with the first stream, and rings all topics then.
            assert (stream.event(), stream.event()) == ("hello", "checks")
        user.delete()
        yield web


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack

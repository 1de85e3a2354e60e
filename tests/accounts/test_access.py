"""The decorator that asks for a role, on both sorts of views."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from consulops.accounts.access import requires
from consulops.accounts.models import Role, User

AsyncView = Callable[[HttpRequest], Awaitable[HttpResponse]]

ALLOWED = [
    (mine, needed)
    for mine in Role
    for needed in Role
    if list(Role).index(mine) >= list(Role).index(needed)
]
REFUSED = [(mine, needed) for mine in Role for needed in Role if (mine, needed) not in ALLOWED]


def request_of(rf: RequestFactory, user: User | AnonymousUser) -> HttpRequest:
    request = cast(HttpRequest, rf.get("/"))
    request.user = user

    async def auser() -> User | AnonymousUser:
        return user

    cast(Any, request).auser = auser
    return request


def sync_view(needed: Role) -> Callable[[HttpRequest], HttpResponse]:
    @requires(needed)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")

    return view


def async_view(needed: Role) -> AsyncView:
    @requires(needed)
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")

    return view


def run(
    view: Callable[[HttpRequest], Awaitable[HttpResponse]], request: HttpRequest
) -> HttpResponse:
    return async_to_sync(view)(request)


@pytest.mark.parametrize(("mine", "needed"), ALLOWED)
def test_role_is_enough(rf: RequestFactory, mine: Role, needed: Role) -> None:
    request = request_of(rf, User(username="x", role=mine))
    assert sync_view(needed)(request).content == b"in"
    assert run(async_view(needed), request).content == b"in"


@pytest.mark.parametrize(("mine", "needed"), REFUSED)
def test_role_is_not_enough(rf: RequestFactory, mine: Role, needed: Role) -> None:
    request = request_of(rf, User(username="x", role=mine))
    says = f"needs the role {needed.label}, and yours is {mine.label}"
    with pytest.raises(PermissionDenied, match=says):
        sync_view(needed)(request)
    with pytest.raises(PermissionDenied, match=says):
        run(async_view(needed), request)


@pytest.mark.parametrize(
    "nobody", [AnonymousUser(), User(username="x", role=Role.ADMIN, is_active=False)]
)
def test_nobody_and_the_switched_off_are_refused(
    rf: RequestFactory, nobody: User | AnonymousUser
) -> None:
    request = request_of(rf, nobody)
    with pytest.raises(PermissionDenied):
        sync_view(Role.VIEWER)(request)
    with pytest.raises(PermissionDenied):
        run(async_view(Role.VIEWER), request)


def test_views_stay_what_they_were() -> None:
    assert iscoroutinefunction(async_view(Role.ADMIN))
    assert not iscoroutinefunction(sync_view(Role.ADMIN))


def test_refusal_is_a_page_that_names_both_roles(as_operator: Client) -> None:
    response = as_operator.get("/users/")
    assert response.status_code == 403
    assert "needs the role Admin, and yours is Operator" in response.content.decode()

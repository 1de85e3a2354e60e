"""Who may open which page: a decorator for views, by role."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from consulops.accounts.models import Role, User

View = TypeVar("View", bound=Callable[..., Any])


def requires(role: Role) -> Callable[[View], View]:
    """Lets a view answer only people with at least this role; others get a page that says so.

    Works on sync and async function views. Being signed in is the middleware's matter.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                if _may(await request.auser(), role):
                    return await view(request, *args, **kwargs)
                # The frame of the page reads the database.
                return await sync_to_async(_forbidden)(request, role)

            return cast(View, guarded_async)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if _may(request.user, role):
                return view(request, *args, **kwargs)
            return _forbidden(request, role)

        return cast(View, guarded)

    return decorate


def _may(user: User | AnonymousUser, role: Role) -> bool:
    return isinstance(user, User) and user.may(role)


def _forbidden(request: HttpRequest, role: Role) -> HttpResponse:
    yours = Role(request.user.role) if isinstance(request.user, User) else None
    return render(request, "accounts/forbidden.html", {"needed": role, "yours": yours}, status=403)

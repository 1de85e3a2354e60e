"""Who may open which page: a decorator for views, by role."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from consulops.accounts.models import Role, User

View = TypeVar("View", bound=Callable[..., Any])


def requires(role: Role) -> Callable[[View], View]:
    """Lets a view answer only people with at least this role; others get a 403 that says so.

    Works on sync and async function views. Being signed in is the middleware's matter.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                _refuse_below(role, await request.auser())
                return await view(request, *args, **kwargs)

            return cast(View, guarded_async)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _refuse_below(role, request.user)
            return view(request, *args, **kwargs)

        return cast(View, guarded)

    return decorate


def _refuse_below(role: Role, user: User | AnonymousUser) -> None:
    if isinstance(user, User) and user.may(role):
        return
    yours = f"yours is {Role(user.role).label}" if isinstance(user, User) else "you have none"
    raise PermissionDenied(
        f"This needs the role {role.label}, and {yours}. An admin can change your role."
    )

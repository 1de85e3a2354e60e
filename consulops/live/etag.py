"""Answers 304 to a page that asks again for a part which cannot have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags

from consulops.accounts.models import User
from consulops.live.context import is_fragment
from consulops.live.hub import hub
from consulops.live.topics import TOPICS

View = Callable[..., HttpResponseBase]

_ASKED = ("HX-Target", "HX-Trigger", "HX-Trigger-Name")


def fresh_by(*topics: str) -> Callable[[View], View]:
    """A GET view whose fragments depend on these topics, the address and the person, and no more.

    Whole pages are always rendered: they carry messages and the frame. So are fragments while the
    hub is not connected. What depends on the time alone is kept true by the browser.
    """
    unknown = set(topics) - set(TOPICS)
    if unknown:
        raise ValueError(f"no such topic: {', '.join(sorted(unknown))}")

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            # Taken before the view reads the tables: a ring meanwhile makes it old, not wrong.
            tag = _tag(request, topics)
            known = parse_etags(request.headers.get("If-None-Match", ""))
            response: HttpResponseBase
            if tag and tag in known:
                response = HttpResponseNotModified()
            else:
                response = view(request, *args, **kwargs)
            return _marked(response, tag)

        return answer

    return decorate


def _tag(request: HttpRequest, topics: tuple[str, ...]) -> str | None:
    user = request.user
    clock = hub.clock(topics)
    if request.method != "GET" or clock is None or not is_fragment(request):
        return None
    if not isinstance(user, User):
        return None
    asked = [request.headers.get(name, "") for name in _ASKED]
    parts = [
        clock,
        user.pk,
        user.role,
        request.session.session_key,
        request.get_full_path(),
        *asked,
    ]
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def _marked(response: HttpResponseBase, tag: str | None) -> HttpResponseBase:
    if tag and response.status_code in (200, 304):
        response["ETag"] = tag
    if isinstance(response, HttpResponse):
        # The page and its fragments share an address: the browser must not take one for the other.
        patch_vary_headers(response, ("Cookie", "HX-Request"))
        patch_cache_control(response, private=True, no_cache=True)
    return response

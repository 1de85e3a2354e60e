"""The stream that rings open pages, and the frame's fragment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from consulops.accounts.models import User
from consulops.live import context
from consulops.live.hub import hub
from consulops.live.topics import TOPICS, audible

BEAT_S = 15.0
# A page fetches a part for every ring; rings within this time become one.
PACE_S = 0.25
# Then the browser comes again, and is asked again who it is.
LIFE_S = 900.0
STREAMS_OF_A_PERSON, STREAMS_OF_THE_PROCESS = 40, 1000


def frame(request: HttpRequest) -> HttpResponse:
    """The counts and banners of the frame, fetched again by every open page."""
    user = request.user
    if not isinstance(user, User):
        return HttpResponse(status=401)
    response = render(request, "_frame_fragment.html", {"frame": context.whole(request, user)})
    response["Cache-Control"] = "no-store"
    return response


# It answers strangers itself: a stream cannot follow a redirect to the sign-in page.
@login_not_required
@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events: a topic's name whenever something of it has changed, a beat otherwise."""
    user = await request.auser()
    if not isinstance(user, User) or not user.is_active:
        return HttpResponse("Sign in first.", status=401)
    asked = {topic for topic in request.GET.get("topics", "").split(",") if topic}
    if asked - set(TOPICS):
        return HttpResponse("No such topic.", status=400)
    if hub.count() >= STREAMS_OF_THE_PROCESS or hub.count(user.pk) >= STREAMS_OF_A_PERSON:
        return HttpResponse("Too many open pages.", status=429, headers={"Retry-After": "60"})
    topics = frozenset(asked & set(audible(user)))
    # Else every open page would hold a database connection for as long as it is open.
    await sync_to_async(connections.close_all)()
    return StreamingHttpResponse(
        _events(topics, user.pk),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(topics: frozenset[str], owner: int) -> AsyncIterator[bytes]:
    now = asyncio.get_running_loop().time
    # Pages that were opened together need not come back together.
    end = now() + LIFE_S * random.uniform(0.9, 1.0)  # noqa: S311 - only jitter
    with hub.listening(topics, owner) as listener:
        # From here on every ring is heard: the page fetches what it may have missed, once.
        yield b"retry: 3000\nevent: hello\ndata: 1\n\n"
        while (left_s := end - now()) > 0:
            rung = await listener.wait(min(BEAT_S, left_s))
            if rung:
                yield b"".join(f"event: {topic}\ndata: 1\n\n".encode() for topic in rung)
                await asyncio.sleep(PACE_S)
            else:
                # While we are deaf the page must not believe that it is live.
                yield b"event: beat\ndata: 1\n\n" if hub.is_connected else b": no database\n\n"

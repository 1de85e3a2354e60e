"""Tries a handler out with a made-up event."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from dataclasses import dataclass

import aiohttp
from django.utils import timezone

from consulops.accounts.audit import Actor, record
from consulops.events.kinds import Occasion, Program, Webhook
from consulops.events.models import Event, EventHandler, RunState
from consulops.events.programs import ending_of
from consulops.events.queue import kind_of
from consulops.notifiers.base import Kind, SendError
from consulops.notifiers.executables import NotAllowed

# Somebody waits for the page.
LONGEST_S = 30.0
_PLAIN = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Tried:
    """How a trial went: the real answer or exit, what it said, and how long it took."""

    ok: bool
    result: str
    output: str = ""
    ms: int = 0


def try_out(actor: Actor, handler: EventHandler) -> Tried:
    """Runs the handler once with its settings as they are, saved or not; waits for the end.

    A handler that may run for longer than 30 s is stopped then.
    """
    began = time.perf_counter()
    # In this thread, because deferred secrets are read from the database.
    kind = kind_of(handler)
    occasion = Occasion(uuid.uuid4(), sample(handler, actor), "example", is_test=True)
    ok, result, output = asyncio.run(_run(kind, occasion, min(handler.timeout_s, LONGEST_S)))
    tried = Tried(ok, result, output, round((time.perf_counter() - began) * 1000))
    saved = handler if handler.pk else None
    detail = {"kind": handler.kind, "ok": ok, "result": result}
    record(actor, "event_handler.tested", saved, detail)
    return tried


def sample(handler: EventHandler, actor: Actor) -> Event:
    """The made-up event: of the name that the handler asks for if that is a plain one."""
    is_plain = _PLAIN.fullmatch(handler.event_pattern)
    return Event(
        event_id=str(uuid.uuid4()),
        name=handler.event_pattern if is_plain else "test",
        payload=f"This is only a test of a handler, by {actor.name}.".encode(),
        ltime=1,
        seen_at=timezone.now(),
    )


async def _run(kind: Kind | str, occasion: Occasion, timeout_s: float) -> tuple[bool, str, str]:
    try:
        if isinstance(kind, Program):
            ending = ending_of(await kind.run(occasion, timeout_s), timeout_s)
            return ending.state == RunState.DONE, ending.result, ending.output
        if isinstance(kind, Webhook):
            async with aiohttp.ClientSession(trust_env=False) as http:
                return True, await kind.send(http, occasion, timeout_s), ""
    except (SendError, NotAllowed) as error:
        return False, str(error), ""
    return False, str(kind), ""

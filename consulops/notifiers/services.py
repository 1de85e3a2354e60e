"""Every change of a notifier, by people and by the courier, and the test message."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.core.crypto import WrongKey
from consulops.live.services import publish
from consulops.notifiers.base import AlertFacts, Kind, Message, SendError
from consulops.notifiers.models import Notifier
from consulops.notifiers.registry import load
from consulops.notifiers.sending import send

SETTINGS = (
    "name",
    "kind",
    "config",
    "subject_template",
    "body_template",
    "enabled",
    "timeout_s",
    "concurrency",
)


class InUse(Exception):
    """A notifier cannot be deleted while routes tell it; the text names them."""

    def __init__(self, routes: list[str]) -> None:
        super().__init__(f"It is used by {', '.join(routes)}.")
        self.routes = routes


@dataclass(frozen=True, slots=True)
class Tested:
    """How a test message fared: whether it was accepted, the real answer, and how long it took."""

    ok: bool
    answer: str
    ms: int


@transaction.atomic
def save_notifier(actor: Actor, notifier: Notifier) -> bool:
    """Creates the notifier or stores its changed settings; whether there was anything to store.

    `config` and `secrets` must come from `from_config` or the form, which check them.
    """
    # Its key stays, so that messages to it can be made meanwhile.
    before = Notifier.objects.select_for_update(no_key=True).filter(pk=notifier.pk).first()
    changes = changed_fields(_facts(before), _facts(notifier), {"secrets"})
    if before and not changes:
        return False
    if "secrets" in changes:
        notifier.secrets_at = timezone.now()
    if before is None:
        notifier.save(force_insert=True)
    else:
        # What was wrong may be mended, and only a new attempt can tell. The courier's own fields
        # are left alone: it may be writing them.
        notifier.error, notifier.error_at, notifier.error_is_permanent = "", None, False
        notifier.save(
            update_fields=[
                *SETTINGS,
                "secrets",
                "secrets_at",
                "updated_at",
                "error",
                "error_at",
                "error_is_permanent",
            ]
        )
    record(
        actor,
        "notifier.updated" if before else "notifier.created",
        notifier,
        {"changed": changes},
    )
    publish("notifiers", "audit")
    return True


@transaction.atomic
def delete_notifier(actor: Actor, notifier: Notifier) -> None:
    """Deletes a notifier that no route tells any more. Raises InUse."""
    routes = list(notifier.routes.values_list("name", flat=True))
    if routes:
        raise InUse(routes)
    record(actor, "notifier.deleted", notifier)
    notifier.delete()
    publish("notifiers", "audit")


def send_test(actor: Actor, notifier: Notifier) -> Tested:
    """Sends a message that says it is a test, with the settings as they are, saved or not.

    Waits for the real answer, at most as long as the notifier's timeout.
    """
    started = time.perf_counter()
    try:
        # In this thread, because deferred secrets are read from the database.
        kind = load(notifier)
        message = example(notifier, actor)
        answer, ok = asyncio.run(_send_now(kind, message, notifier.timeout_s)), True
    except SendError as error:
        answer, ok = error.text, False
    tested = Tested(ok, answer, round((time.perf_counter() - started) * 1000))
    saved = notifier if notifier.pk else None
    record(actor, "notifier.tested", saved, {"kind": notifier.kind, "ok": ok, "answer": answer})
    return tested


def mark_sent(notifier_ids: Iterable[int], at: datetime) -> None:
    """Notes that these notifiers took a message, so whatever error they had before is over."""
    with transaction.atomic():
        Notifier.objects.filter(pk__in=set(notifier_ids)).update(
            sent_at=at, error="", error_at=None, error_is_permanent=False
        )
        publish("notifiers")


def mark_error(notifier_ids: Iterable[int], text: str, permanent: bool, at: datetime) -> None:
    """Notes why these notifiers did not take a message; a permanent error is shown loudly."""
    with transaction.atomic():
        Notifier.objects.filter(pk__in=set(notifier_ids)).update(
            error=text, error_at=at, error_is_permanent=permanent
        )
        publish("notifiers")


def example(notifier: Notifier, actor: Actor) -> Message:
    """The test message: one made-up alert that says who sent it and why."""
    alert = AlertFacts(
        id=0,
        url=settings.URL + reverse("notifiers:list"),
        check="test",
        status="critical",
        previous="passing",
        node="example-node",
        service="example",
        service_id="example-1",
        name="Test message",
        output=f"This is only a test of the notifier “{notifier.name}”, sent by {actor.name}. "
        "Nothing is wrong.",
        tags=[],
        since=timezone.now(),
        cluster="example",
    )
    return Message(str(uuid.uuid4()), "test", "example", "", (alert,))


async def _send_now(kind: Kind, message: Message, timeout_s: float) -> str:
    executor = ThreadPoolExecutor(max_workers=1)
    try:
        async with aiohttp.ClientSession() as http:
            return await send(kind, http, message, timeout_s, executor)
    finally:
        # A thread that hangs ends by its own timeout; nobody waits for it here.
        executor.shutdown(wait=False)


def _facts(notifier: Notifier | None) -> dict[str, Any]:
    if notifier is None:
        # A notifier that needs no secret is made without a word about secrets.
        return {"secrets": {}}
    facts = {name: getattr(notifier, name) for name in SETTINGS}
    try:
        return {**facts, "secrets": notifier.secrets}
    except WrongKey:
        # Whatever comes in its place is a change.
        return {**facts, "secrets": None}

"""What a receiver of messages is told to do, and what it got."""

from __future__ import annotations

from collections import defaultdict

from tests.receivers import Answer, Request, WebhookReceiver


def hold_back_after(hook: WebhookReceiver, count: int) -> None:
    """From then on nobody gets an answer: the courier stays in the middle of its work."""

    def answer(request: Request) -> Answer:
        return Answer(hang=len(hook.requests) > count)

    hook.answer = answer


def keys_by_check(hook: WebhookReceiver) -> dict[str, set[str]]:
    """The idempotency keys under which each check was told."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for request in list(hook.requests):
        found[request.json()["alerts"][0]["check"]].add(request.headers["Idempotency-Key"])
    return found

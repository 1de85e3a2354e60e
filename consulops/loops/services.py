"""Keeps a supervisor in every worker of the cluster "watch", and the tables of all this tidy."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django_q.models import Failure, OrmQ, Success
from django_q.tasks import async_task

from consulops.loops import registry
from consulops.loops.broker import ListenBroker, mailbox
from consulops.loops.models import Lease, Supervisor, Worker

WATCH = "watch"
OPS = "ops"
SUPERVISE = "consulops.loops.tasks.supervise"

KEEP_FAILURES = timedelta(days=14)
KEEP_SUCCESSES = timedelta(days=2)
KEEP_LEASES = timedelta(days=1)


def seed() -> None:
    """Gives this process's workers one supervisor task, whatever was waiting for them before.

    Each process feeds itself through a mailbox of its own. From a queue that all share, one
    process would take the task of another in advance (django-q2 takes a task more than it has
    workers), and hold it for the ten minutes that its own supervisor runs.
    """
    with transaction.atomic():
        OrmQ.objects.filter(key=mailbox(WATCH)).delete()
        async_task(SUPERVISE, broker=ListenBroker(list_key=mailbox(WATCH)))


def forget(ack_id: int) -> None:
    """Takes a task from the queue as it starts: from here on leases say who works.

    django-q2 would take it away at its end. After a kill it would stay, come back when its
    `retry` is over, and every kill would add one.
    """
    OrmQ.objects.filter(pk=ack_id).delete()


def is_surplus() -> bool:
    """Whether the supervisor that is about to start is one too many and should end at once.

    A process needs one supervisor after the other. So a task that starts while another waits in
    the mailbox is surplus: the safety net's that came while the process was busy, or one that
    outlived the worker for which it was meant. Only the last of a row runs; none pile up.
    """
    return bool(OrmQ.objects.filter(key=mailbox(WATCH)).exists())


def look_after() -> None:
    """Every minute: if no supervisor lives anywhere, asks for one; clears away what is dead."""
    Supervisor.objects.dead().delete()
    Worker.objects.dead().delete()
    if not Supervisor.objects.exists() and not OrmQ.objects.filter(key=WATCH).exists():
        async_task(SUPERVISE, cluster=WATCH)
    # A live process empties its mailbox in milliseconds.
    OrmQ.objects.filter(key__startswith=f"{WATCH}@", lock__lt=Now() - timedelta(minutes=5)).delete()
    Lease.objects.filter(expires_at__lt=Now() - KEEP_LEASES).exclude(
        key__in=registry.desired_keys()
    ).delete()
    Failure.objects.filter(stopped__lt=Now() - KEEP_FAILURES).delete()
    Success.objects.filter(stopped__lt=Now() - KEEP_SUCCESSES).delete()

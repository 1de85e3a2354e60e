"""Every write of this app: people, their passwords, and their signing in and out."""

from __future__ import annotations

import secrets

from django.contrib import auth
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from consulops.accounts.audit import Actor, changed_fields, record
from consulops.accounts.models import Role, User

# 16 letters and digits of base64: 96 bits.
_GENERATED_BYTES = 12


class Refused(Exception):
    """A change of an account that would lock people out; the text says why and what to do."""


def ensure_admin(password: str) -> str | None:
    """Makes the user `admin` when there is nobody yet, so that a fresh product can be entered.

    Returns the password if it had to make one up, to be shown once; otherwise None.
    """
    if User.objects.exists():
        return None
    chosen = password or _made_up_password()
    try:
        with transaction.atomic():
            admin = User.objects.create_user("admin", password=chosen, role=Role.ADMIN)
            record(Actor.named("first start"), "user.created", admin, {"role": Role.ADMIN})
    except IntegrityError:
        # Another machine started at the same moment and was first: it shows its password.
        return None
    return None if password else chosen


@transaction.atomic
def create_user(actor: Actor, *, username: str, role: Role, password: str = "") -> tuple[User, str]:
    """Makes a person; returns them with their password, which is made up when none is given.

    Raises IntegrityError when the name is taken.
    """
    chosen = password or _made_up_password()
    user = User.objects.create_user(username, password=chosen, role=role)
    record(actor, "user.created", user, {"role": role})
    return user, chosen


@transaction.atomic
def update_user(actor: Actor, user: User, *, role: Role, is_active: bool) -> None:
    """Sets what a person may do and whether they may sign in; both hold at their next request.

    Raises Refused for oneself, and when no active admin would be left.
    """
    # All admins are locked, in one order: two who demote each other must not both succeed.
    admins = set(
        User.objects.select_for_update()
        .filter(role=Role.ADMIN, is_active=True)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    user = User.objects.select_for_update().get(pk=user.pk)
    before = {"role": user.role, "is_active": user.is_active}
    changes = changed_fields(before, {"role": role, "is_active": is_active}, set())
    if not changes:
        return
    if actor.user and actor.user.pk == user.pk:
        raise Refused("You cannot change your own role or switch yourself off; ask another admin.")
    stays_admin = role == Role.ADMIN and is_active
    if not stays_admin and admins == {user.pk}:
        raise Refused("This is the last active admin; make somebody else an admin first.")
    user.role, user.is_active = role, is_active
    user.save(update_fields=["role", "is_active"])
    record(actor, "user.updated", user, {"changed": changes})


@transaction.atomic
def reset_password(actor: Actor, user: User, password: str = "") -> str:
    """Gives somebody else a new password, made up when none is given, and ends their sessions.

    Raises Refused for oneself: that page asks for the old password first.
    """
    if actor.user and actor.user.pk == user.pk:
        raise Refused("Change your own password on the password page.")
    chosen = password or _made_up_password()
    _set_password(user, chosen)
    record(actor, "user.password_reset", user)
    return chosen


@transaction.atomic
def change_password(actor: Actor, user: User, password: str) -> None:
    """Sets one's own password; every session that began under the old one ends."""
    _set_password(user, password)
    record(actor, "user.password_changed", user)


@transaction.atomic
def sign_in(request: HttpRequest, user: User) -> None:
    """Begins a session under a new key, so that one planted in the browser before is worthless."""
    auth.login(request, user)
    record(Actor.of(request), "user.signed_in", user)


@transaction.atomic
def sign_out(request: HttpRequest) -> None:
    """Ends the session and deletes its data."""
    if isinstance(request.user, User):
        record(Actor.of(request), "user.signed_out", request.user)
    auth.logout(request)


def record_failed_sign_in(request: HttpRequest, username: str) -> None:
    """Notes a wrong name or password.

    A name that nobody has is not kept: often it is a password, typed into the wrong field.
    """
    known = User.objects.filter(username=username).first()
    record(Actor.of(request), "user.sign_in_failed", known, {} if known else {"name": "unknown"})


def record_lockout(request: HttpRequest, username: str) -> None:
    """Notes that too many wrong passwords have closed the door for this name and address."""
    known = User.objects.filter(username=username).first()
    record(Actor.of(request), "user.locked_out", known, {} if known else {"name": "unknown"})


def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])


def _made_up_password() -> str:
    return secrets.token_urlsafe(_GENERATED_BYTES)

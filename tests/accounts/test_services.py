"""Accounts are written so that nobody can lock everybody out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, transaction

from consulops.accounts import services
from consulops.accounts.audit import Actor
from consulops.accounts.models import AuditEntry, Role, User
from tests.people import make_user

APPLY = Actor.named("apply")


def by(user: User) -> Actor:
    return Actor(user, user.username, "192.0.2.7")


def test_first_start_makes_an_admin_with_a_made_up_password(db: None) -> None:
    password = services.ensure_admin("")
    assert password and len(password) >= 16
    admin = User.objects.get()
    assert (admin.username, admin.role) == ("admin", Role.ADMIN)
    assert admin.check_password(password)
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == ("first start", "user.created")
    assert password not in str(entry.detail)


def test_first_start_takes_the_password_it_is_given_and_does_not_repeat_it(db: None) -> None:
    assert services.ensure_admin("from the environment") is None
    assert User.objects.get().check_password("from the environment")


def test_later_starts_change_nothing(viewer: User) -> None:
    assert services.ensure_admin("from the environment") is None
    assert list(User.objects.all()) == [viewer]


@pytest.mark.django_db(transaction=True)
def test_two_machines_that_start_at_once_make_one_admin() -> None:
    together = Barrier(2)

    def start(_: int) -> str | None:
        try:
            User.objects.exists()
            together.wait(timeout=10)
            return services.ensure_admin("")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        passwords = [password for password in pool.map(start, range(2)) if password]
    admin = User.objects.get()
    assert [admin.check_password(password) for password in passwords] == [True]


def test_role_and_access_are_changed_and_recorded(admin: User, viewer: User) -> None:
    services.update_user(by(admin), viewer, role=Role.OPERATOR, is_active=False)
    viewer.refresh_from_db()
    assert (viewer.role, viewer.is_active) == (Role.OPERATOR, False)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.address) == ("user.updated", admin, "192.0.2.7")
    assert entry.detail == {
        "changed": {
            "role": {"from": "viewer", "to": "operator"},
            "is_active": {"from": True, "to": False},
        }
    }


def test_nothing_changed_is_nothing_recorded(admin: User, viewer: User) -> None:
    services.update_user(by(admin), viewer, role=Role.VIEWER, is_active=True)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(("role", "is_active"), [(Role.VIEWER, True), (Role.ADMIN, False)])
def test_last_admin_stays(admin: User, role: Role, is_active: bool) -> None:
    off = make_user("olga", Role.ADMIN)
    User.objects.filter(pk=off.pk).update(is_active=False)
    with pytest.raises(services.Refused, match="last active admin"):
        services.update_user(APPLY, admin, role=role, is_active=is_active)
    admin.refresh_from_db()
    assert admin.is_admin


@pytest.mark.parametrize(("role", "is_active"), [(Role.VIEWER, True), (Role.ADMIN, False)])
def test_nobody_demotes_or_switches_off_themselves(
    admin: User, role: Role, is_active: bool
) -> None:
    make_user("alan", Role.ADMIN)
    with pytest.raises(services.Refused, match="your own"):
        services.update_user(by(admin), admin, role=role, is_active=is_active)


def test_one_of_two_admins_may_be_demoted(admin: User) -> None:
    other = make_user("alan", Role.ADMIN)
    services.update_user(by(admin), other, role=Role.VIEWER, is_active=True)
    other.refresh_from_db()
    assert other.role == Role.VIEWER


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_demote_each_other_at_once_leave_one() -> None:
    ada, alan = make_user("ada", Role.ADMIN), make_user("alan", Role.ADMIN)

    def alan_demotes_ada() -> None:
        try:
            services.update_user(by(alan), ada, role=Role.VIEWER, is_active=True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            services.update_user(by(ada), alan, role=Role.VIEWER, is_active=True)
            other = pool.submit(alan_demotes_ada)
            while not (other.done() or somebody_waits_for_a_lock()):
                pass
        with pytest.raises(services.Refused, match="last active admin"):
            other.result(timeout=10)
    assert User.objects.get(role=Role.ADMIN) == ada


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def test_reset_password_is_for_others(admin: User, viewer: User) -> None:
    chosen = services.reset_password(by(admin), viewer)
    viewer.refresh_from_db()
    assert viewer.check_password(chosen)
    assert chosen not in str(AuditEntry.objects.values())
    with pytest.raises(services.Refused, match="password page"):
        services.reset_password(by(admin), admin)

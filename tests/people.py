"""People of each role, and their browsers."""

from __future__ import annotations

import pytest
from django.test import Client

from consulops.accounts.models import Role, User


def make_user(name: str, role: Role, password: str | None = None) -> User:
    """A person; without a password only `force_login` lets them in, which saves the hashing."""
    return User.objects.create_user(name, password=password, role=role)


def client_of(user: User) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def viewer(db: None) -> User:
    return make_user("vera", Role.VIEWER)


@pytest.fixture
def operator(db: None) -> User:
    return make_user("otto", Role.OPERATOR)


@pytest.fixture
def admin(db: None) -> User:
    return make_user("ada", Role.ADMIN)


@pytest.fixture
def as_viewer(viewer: User) -> Client:
    return client_of(viewer)


@pytest.fixture
def as_operator(operator: User) -> Client:
    return client_of(operator)


@pytest.fixture
def as_admin(admin: User) -> Client:
    return client_of(admin)


@pytest.fixture
def stranger(db: None) -> Client:
    """A browser in which nobody is signed in."""
    return Client()

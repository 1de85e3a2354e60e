"""Secrets at rest: encrypted in the database, clear in Python, and an error with a wrong key."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from consulops import keys
from consulops.clusters.models import Cluster
from consulops.core import crypto
from consulops.core.crypto import WrongKey, decrypt, encrypt
from consulops.notifiers.models import Notifier

SECRET = "s3cret-ünï✓"


def make(name: str = "dc1", token: str = SECRET) -> Cluster:
    return Cluster.objects.create(name=name, address="http://127.0.0.1:8500", token=token)


def stored(cluster: Cluster) -> str:
    """What the database holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM clusters_cluster WHERE id = %s", [cluster.pk])
        return str(cursor.fetchone()[0])


@pytest.fixture
def new_keys(settings: Settings) -> Callable[..., list[str]]:
    """Puts other keys in the settings: so many fresh ones, then those that are kept."""

    def change(fresh: int = 1, keep: bool = False) -> list[str]:
        old = list(settings.ENCRYPTION_KEYS) if keep else []
        settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode() for _ in range(fresh)] + old
        return list(settings.ENCRYPTION_KEYS)

    return change


def test_what_is_encrypted_can_be_read_again() -> None:
    assert decrypt(encrypt(SECRET)) == SECRET
    assert encrypt(SECRET) != encrypt(SECRET)
    assert decrypt(encrypt("")) == encrypt("") == ""


def test_a_text_that_is_no_token_is_an_error() -> None:
    with pytest.raises(WrongKey):
        decrypt("never encrypted")


def test_the_database_never_holds_the_clear_text(db: None) -> None:
    cluster = make()
    assert SECRET not in stored(cluster)
    assert Cluster.objects.get(pk=cluster.pk).token == SECRET


def test_empty_stays_empty(db: None) -> None:
    cluster = make(token="")
    assert stored(cluster) == ""
    assert Cluster.objects.get(pk=cluster.pk).token == ""


def test_json_secrets(db: None) -> None:
    value = {"password": SECRET, "headers": {"x": 1}}
    one = Notifier.objects.create(name="a", kind="webhook", secrets=value)
    none = Notifier.objects.create(name="b", kind="webhook")
    assert Notifier.objects.get(pk=one.pk).secrets == value
    assert Notifier.objects.get(pk=none.pk).secrets == {}


def test_a_change_inside_a_json_secret_is_saved(db: None) -> None:
    made = Notifier.objects.create(name="a", kind="webhook", secrets={"x": "1"})
    notifier = Notifier.objects.get(pk=made.pk)
    notifier.secrets["x"] = "2"
    notifier.save()
    assert Notifier.objects.get(pk=made.pk).secrets == {"x": "2"}


def test_with_a_wrong_key_rows_load_and_reading_the_secret_fails(
    db: None, new_keys: Callable[..., list[str]]
) -> None:
    pk = make().pk
    new_keys()
    cluster = Cluster.objects.get(pk=pk)
    assert cluster.name == "dc1"
    for _ in range(2):
        with pytest.raises(WrongKey, match="enter the secret again"):
            cluster.token  # noqa: B018 - reading is what fails


def test_the_ciphertext_is_never_a_value(db: None, new_keys: Callable[..., list[str]]) -> None:
    cluster = make()
    new_keys()
    token = stored(cluster)
    for value in Cluster.objects.values_list("token", flat=True):
        assert token not in f"{value} {value!r}"
        assert value
    deferred = Cluster.objects.defer("token").get(pk=cluster.pk)
    with pytest.raises(WrongKey):
        deferred.token  # noqa: B018


def test_saving_a_row_keeps_a_secret_that_cannot_be_read(
    db: None, new_keys: Callable[..., list[str]]
) -> None:
    made = make()
    before = stored(made)
    new_keys()
    cluster = Cluster.objects.get(pk=made.pk)
    cluster.datacenter = "dc9"
    cluster.save()
    assert stored(made) == before


def test_a_new_secret_replaces_one_that_cannot_be_read(
    db: None, new_keys: Callable[..., list[str]]
) -> None:
    made = make()
    new_keys()
    cluster = Cluster.objects.get(pk=made.pk)
    cluster.token = "new"
    cluster.save()
    assert Cluster.objects.get(pk=made.pk).token == "new"


def test_older_keys_still_read(db: None, new_keys: Callable[..., list[str]]) -> None:
    made = make()
    new_keys(fresh=2, keep=True)
    assert Cluster.objects.get(pk=made.pk).token == SECRET


def test_rotation_puts_every_secret_under_the_newest_key(
    db: None, settings: Settings, new_keys: Callable[..., list[str]]
) -> None:
    cluster = make()
    Notifier.objects.create(name="a", kind="webhook", secrets={"x": SECRET})
    settings.ENCRYPTION_KEYS = new_keys(keep=True)
    call_command("rotate_keys", stdout=StringIO())
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert Cluster.objects.get(pk=cluster.pk).token == SECRET
    assert Notifier.objects.get().secrets == {"x": SECRET}


def test_rotation_may_be_repeated(db: None, new_keys: Callable[..., list[str]]) -> None:
    cluster = make()
    make("empty", token="")
    new_keys(keep=True)
    first, second = StringIO(), StringIO()
    call_command("rotate_keys", stdout=first)
    token = stored(cluster)
    call_command("rotate_keys", stdout=second)
    assert stored(cluster) == token
    assert "cluster token: 1 kept, 1 encrypted anew" in first.getvalue()
    assert "cluster token: 1 kept, 0 encrypted anew" in second.getvalue()


def test_rotation_with_a_lost_key_changes_nothing(
    db: None, new_keys: Callable[..., list[str]]
) -> None:
    lost = make("lost")
    new_keys()
    readable = make("readable")
    new_keys(keep=True)
    before = stored(lost), stored(readable)
    with pytest.raises(CommandError, match=f"cluster token of {lost.pk}.*Nothing was changed") as e:
        call_command("rotate_keys", stdout=StringIO())
    assert e.value.returncode == 1
    assert (stored(lost), stored(readable)) == before


def test_a_generated_key_is_used_at_once_by_processes_that_do_not_know_it(
    db: None, settings: Settings, tmp_path: Path
) -> None:
    settings.DATA = tmp_path
    settings.ENCRYPTION_KEYS = keys.encryption_keys(tmp_path)
    cluster = make()
    call_command("rotate_keys", "--generate", stdout=StringIO())
    fresh, old = keys.encryption_keys(tmp_path)
    assert [old] == settings.ENCRYPTION_KEYS
    assert (tmp_path / "encryption.keys").stat().st_mode & 0o777 == 0o600
    assert Fernet(fresh).decrypt(stored(cluster).encode()).decode() == SECRET
    assert Cluster.objects.get(pk=cluster.pk).token == SECRET


def test_keys_from_elsewhere_do_not_open_anything(
    db: None, settings: Settings, tmp_path: Path
) -> None:
    """The file in the data folder counts only when it continues the keys that we were given."""
    settings.DATA = tmp_path
    settings.ENCRYPTION_KEYS = keys.encryption_keys(tmp_path)
    pk = make().pk
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(WrongKey):
        Cluster.objects.get(pk=pk).token  # noqa: B018


def test_generate_leaves_keys_of_the_environment_alone(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.ENV, "words", lambda name: ["a key"])
    cluster = make()
    before = stored(cluster)
    with pytest.raises(CommandError, match="in front there"):
        call_command("rotate_keys", "--generate", stdout=StringIO())
    assert stored(cluster) == before


def test_a_sealed_secret_says_nothing() -> None:
    token = encrypt(SECRET)
    assert token not in f"{crypto.Sealed(token)} {crypto.Sealed(token)!r}"

"""The registry: it finds what is in the folder, and refuses what cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django import forms
from django.test import Client
from django.urls import reverse

from consulops.core.crypto import Sealed
from consulops.notifiers import kinds as package
from consulops.notifiers import registry
from consulops.notifiers.base import BlockingKind, Message, SendError
from consulops.notifiers.models import Notifier

PIGEON = """
from django import forms
from consulops.notifiers.base import BlockingKind


class Pigeon(BlockingKind):
    name = "pigeon"
    label = "Carrier pigeon"
    fields = {
        "loft": forms.CharField(help_text="Where it lives."),
        "ring": forms.CharField(),
    }
    secret_fields = frozenset({"ring"})

    def send(self, message, timeout_s):
        return f"flew to {self.config['loft']}"
"""


@pytest.fixture
def pigeon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One more file in the folder of kinds, and nothing else."""
    (tmp_path / "pigeon.py").write_text(PIGEON)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    registry.kinds.cache_clear()
    yield
    registry.kinds.cache_clear()


class Crow(BlockingKind):
    name = "crow"
    label = "Crow"
    fields = {"tree": forms.CharField()}

    def send(self, message: Message, timeout_s: float) -> str:
        return "caw"


def module_with(**attributes: object) -> ModuleType:
    """A module that defines one class, made of Crow and these attributes."""
    module = ModuleType("somewhere")
    module.Made = type("Made", (Crow,), {**attributes, "__module__": "somewhere"})  # type: ignore[attr-defined]  # a module of the test's own
    return module


def test_the_folder_is_what_is_found() -> None:
    found = registry.kinds()
    assert {"custom", "email", "http", "log", "slack", "sns", "webhook"} <= found.keys()
    labels = [kind.label.lower() for kind in found.values()]
    assert labels == sorted(labels)


def test_one_file_is_all_that_a_new_kind_needs(pigeon: None, as_admin: Client) -> None:
    page = as_admin.get(reverse("notifiers:new"), {"kind": "pigeon"}).content.decode()
    assert "Carrier pigeon" in page
    assert 'name="config_loft"' in page
    assert "Where it lives." in page
    posted = {
        "kind": "pigeon",
        "name": "bird",
        "enabled": "on",
        "timeout_s": 3,
        "concurrency": 1,
        "config_loft": "roof",
        "config_ring": "r1ng-number",
    }
    tested = as_admin.post(reverse("notifiers:new"), {**posted, "test": "1"})
    assert "flew to roof" in tested.content.decode()
    as_admin.post(reverse("notifiers:new"), posted)
    saved = Notifier.objects.get()
    assert (saved.kind, saved.config) == ("pigeon", {"loft": "roof"})
    assert saved.secrets == {"ring": "r1ng-number"}


def test_kinds_cannot_be_changed_afterwards() -> None:
    with pytest.raises(TypeError):
        registry.kinds()["crow"] = Crow  # type: ignore[index]  # that is the point


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"name": ""}, "needs a name and a label"),
        ({"label": ""}, "needs a name and a label"),
        ({"group": "Birds"}, "is in the group 'Birds', which is none of"),
        ({"secret_fields": frozenset({"nest"})}, "calls secret what is no field: nest"),
    ],
)
def test_kind_that_is_not_finished_is_refused(
    attributes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(registry.BadKind, match=complaint):
        registry.collect([module_with(**attributes)])


def test_second_kind_of_one_name_is_refused() -> None:
    with pytest.raises(registry.BadKind, match="takes the name 'crow'"):
        registry.collect([module_with(), module_with()])


def test_class_counts_only_where_it_was_written() -> None:
    module = module_with()
    module.Imported = Crow  # type: ignore[attr-defined]  # a module of the test's own
    assert list(registry.collect([module])) == ["crow"]


def test_load_puts_the_secrets_in() -> None:
    notifier = Notifier(kind="slack", config={}, secrets={"url": "http://x/"})
    assert registry.load(notifier).config["url"] == "http://x/"


def test_load_fills_in_defaults_of_settings_that_are_newer() -> None:
    notifier = Notifier(kind="webhook", config={"url": "http://x/"})
    assert registry.load(notifier).config["method"] == "POST"


def test_unknown_kind_is_a_permanent_error() -> None:
    with pytest.raises(SendError, match="fax") as caught:
        registry.load(Notifier(name="old", kind="fax"))
    assert caught.value.permanent


def test_secrets_of_a_lost_key_are_a_permanent_error() -> None:
    notifier = Notifier(kind="slack", config={}, secrets=Sealed("not a token of ours"))
    with pytest.raises(SendError, match="CONSULOPS_ENCRYPTION_KEYS") as caught:
        registry.load(notifier)
    assert caught.value.permanent

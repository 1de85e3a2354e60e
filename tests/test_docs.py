"""The documentation is complete and its links lead somewhere; it cannot fall behind the code."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from consulops.api import urls
from consulops.api.configuration.document import NOT_YET
from consulops.api.configuration.section import Section
from consulops.api.configuration.sections import ALL
from consulops.api.configuration.sections.routes import RouteItem
from consulops.api.metrics import exposition
from consulops.env import SETTINGS, Setting
from consulops.events.kinds import KINDS
from consulops.events.models import RunState
from consulops.notifiers.registry import kinds

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """The part of a page under the heading that begins with this word."""
    found = re.search(rf"^## {re.escape(title)}\b.*?(?=^## |\Z)", text, re.M | re.S)
    assert found, f"there is no section about {title}"
    return found[0]


def commands() -> list[tuple[str, str]]:
    """App and name of every command of ours."""
    return [
        (".".join(file.relative_to(ROOT).parts[:2]), file.stem)
        for file in sorted(ROOT.glob("consulops/*/management/commands/*.py"))
        if file.stem != "__init__"
    ]


def own_options(app: str, name: str) -> list[str]:
    """The long options that a command adds to those that all have."""
    command: BaseCommand = load_command_class(app, name)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)  # type: ignore[arg-type]  # Django's adds nothing we use
    words = [word for action in parser._actions for word in action.option_strings]
    return [word for word in words if word.startswith("--") and word != "--help"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting(setting: Setting) -> None:
    (row,) = re.findall(rf"^\| `{setting.name}` \|(.*)$", page("settings.md"), re.M)
    if setting.default and setting.default != "0":
        assert f"`{setting.default}`" in row


def test_no_setting_that_does_not_exist() -> None:
    known = {setting.name for setting in SETTINGS}
    named = set(re.findall(r"^\| `([A-Z_]+)`", page("settings.md"), re.M))
    assert named == known
    for file in [*PAGES, *sorted((ROOT / "deploy").iterdir())]:
        for word in re.findall(r"\bCONSULOPS_[A-Z_]*[A-Z]", file.read_text(encoding="utf-8")):
            assert word.removesuffix("_FILE") in known, f"{file.name} names {word}"


@pytest.mark.parametrize(("app", "name"), commands())
def test_every_command_and_its_options(app: str, name: str) -> None:
    text = section(page("commands.md"), name)
    options = own_options(app, name)
    assert [option for option in options if f"`{option}" not in text] == []
    named = re.findall(r"^\| `(--[a-z-]+)", text, re.M)
    assert sorted(named) == sorted(options)


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_notifier_and_its_settings(kind: str) -> None:
    text = section(page("notifiers.md"), kind)
    assert [name for name in kinds()[kind].fields if f"`{name}`" not in text] == []


@pytest.mark.parametrize("part", ALL, ids=lambda part: part.name)
def test_every_setting_of_the_file(part: Section) -> None:
    text = page("apply.md")
    fields = part.form.model_fields.items()
    names = [part.name, *(field.alias or name for name, field in fields)]
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_every_reserved_section() -> None:
    assert [name for name in NOT_YET if f"`{name}`" not in page("apply.md")] == []


def test_every_setting_of_a_route() -> None:
    text = page("routes.md")
    names = [field.alias or name for name, field in RouteItem.model_fields.items()]
    told = {"name", "enabled"}
    assert [name for name in names if name not in told and f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_handler(kind: str) -> None:
    text = page("events.md")
    assert f"### {kind}" in text
    assert [name for name in KINDS[kind].fields if f"`{name}`" not in text] == []
    assert [state for state in RunState.values if f"| {state} |" not in text] == []


def test_every_address_for_machines() -> None:
    module: ModuleType = urls
    for pattern in module.urlpatterns:
        assert f"`/{pattern.pattern}`" in page("metrics.md")


@pytest.mark.django_db
def test_every_metric() -> None:
    text, _ = exposition()
    offered = set(re.findall(r"^# TYPE (\w+) ", text, re.M))
    assert set(re.findall(r"^\| `(consulops_\w+)`", page("metrics.md"), re.M)) == offered


def test_every_make_target() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"run", "test", "lint", "bench"} <= set(targets)
    assert [name for name in targets if f"`make {name}`" not in readme] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) + re.findall(
        r'src(?:set)?="(.*?)"', text
    )
    assert [link for link in links if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_test_that_is_named_as_proof_exists(file: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)", file.read_text(encoding="utf-8")):
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.M), name


def test_ci_runs_the_tests() -> None:
    file = ROOT / ".ci" / "run"
    assert file.stat().st_mode & 0o111
    assert "exec make test" in file.read_text()

"""Imports go down only, as docs/architecture.md draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "consulops"

# From the ground up. A part may import parts of its own row and of the rows above it in this list.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"env", "keys", "logs"}),
    frozenset({"core", "consulapi", "lab"}),
    frozenset({"accounts"}),
    frozenset({"clusters", "live", "loops", "notifiers"}),
    frozenset({"health"}),
    frozenset({"silences"}),
    frozenset({"alerts"}),
    frozenset({"rules", "watchdog", "events"}),
    frozenset({"api", "settings", "urls", "asgi"}),
)
# Modules of any app that stand in the last row: they only join things together.
DOORS = frozenset({"apps", "urls", "views", "management"})
WITHOUT_DJANGO = frozenset({"consulapi", "lab"})


def imports(source: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every import of a file, also of those inside functions."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{source}:{node.lineno}: write imports out in full"
            # `from package import module`: the module counts, not only its package.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def row(module: str) -> int:
    """How far above the ground a module of the package stands."""
    parts = module.split(".")[1:]
    if not parts:
        return 0
    if len(parts) > 1 and any(part in DOORS or part.endswith("_views") for part in parts[1:]):
        return len(ROWS) - 1
    for height, names in enumerate(ROWS):
        if parts[0] in names:
            return height
    raise AssertionError(f"{module}: say in ROWS where {parts[0]!r} belongs")


def module_of(source: Path) -> str:
    return ".".join(source.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def sources() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def upward(source: Path) -> Iterator[str]:
    """The imports of a file that go up, each as a line for the person who wrote it."""
    here = module_of(source)
    for line, name in imports(source):
        if name.split(".")[0] != PACKAGE or row(name) <= row(here):
            continue
        yield (
            f"{source.relative_to(ROOT)}:{line} imports {name}: "
            f"{here.split('.')[1]} is below it and must not know it"
        )


def test_imports_go_down_only() -> None:
    wrong = [line for source in sources() for line in upward(source)]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("part", sorted(WITHOUT_DJANGO))
def test_parts_without_django_stay_so(part: str) -> None:
    """Not by way of another part either: they may be used where no settings are."""
    wrong = [
        f"{source.relative_to(ROOT)}:{line} imports {name}: {part} runs without Django"
        for source in sorted((ROOT / PACKAGE / part).rglob("*.py"))
        for line, name in imports(source)
        if name.split(".")[0] == "django"
        or (name.startswith(f"{PACKAGE}.") and name.split(".")[1] not in WITHOUT_DJANGO | ROWS[0])
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_app_has_its_row() -> None:
    for source in sources():
        row(module_of(source))


@pytest.mark.parametrize(
    ("module", "text", "goes_up"),
    [
        ("core.times", "from consulops.accounts.models import User", True),
        ("core.times", "def f():\n    import consulops.health.models", True),
        ("health.services", "from consulops.alerts import models", True),
        ("health.views", "from consulops.alerts import models", False),
        ("alerts.services", "from consulops.alerts import views", True),
        ("alerts.management.commands.x", "from consulops.api import urls", False),
        ("clusters.services", "from consulops.live.services import publish", False),
        ("alerts.services", "from consulops.core.status import Status", False),
    ],
)
def test_the_rule_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, text: str, goes_up: bool
) -> None:
    monkeypatch.setattr("tests.test_layering.ROOT", tmp_path)
    source = (tmp_path / PACKAGE / module.replace(".", "/")).with_suffix(".py")
    source.parent.mkdir(parents=True)
    source.write_text(text)
    assert bool(list(upward(source))) is goes_up

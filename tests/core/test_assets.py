"""The files that browsers get: pinned, small, and fit for a strict Content-Security-Policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from consulops.core.status import LOOKS

STATIC: Path = settings.BASE_DIR / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
SPRITE = (VENDOR / "icons.svg").read_text(encoding="utf-8")


def pinned() -> Iterator[tuple[str, str]]:
    for line in (VENDOR / "versions.txt").read_text().splitlines():
        if not line.startswith("#"):
            _, _, file, digest, _ = line.split()
            yield file, digest


@pytest.mark.parametrize(("file", "digest"), list(pinned()))
def test_vendored_files_are_the_pinned_ones(file: str, digest: str) -> None:
    assert hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() == digest


def test_nothing_is_vendored_that_is_not_pinned() -> None:
    known = {file for file, _ in pinned()} | {"versions.txt", "fetch.py"}
    assert {path.name for path in VENDOR.iterdir() if path.is_file()} == known


def test_files_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in STATIC.rglob("*") if path.is_file()}
    assert {name: size for name, size in sizes.items() if size > 700_000} == {}


def test_scripts_are_short_and_never_evaluate() -> None:
    for path in (STATIC / "js").iterdir():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 200, path.name
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML", text), path.name


def test_every_state_has_its_icon_in_the_sprite() -> None:
    names = {look.icon for look in LOOKS.values() if look.icon}
    assert {name for name in names if f'<symbol id="{name}"' not in SPRITE} == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_obey_the_policy(path: Path) -> None:
    """No inline script, style or handler, and no htmx feature that evaluates text."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|\shx-on|\shx-vars|=\"js:|javascript:", text)
    assert not re.search(r'hx-trigger="[^"]*\[', text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_name_icons_of_the_sprite(path: Path) -> None:
    named = re.findall(r'{% icon "([^"]+)"', path.read_text(encoding="utf-8"))
    assert [name for name in named if f'<symbol id="{name}"' not in SPRITE] == []

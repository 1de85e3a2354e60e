"""The style sheet's colours: the same as the table of states, and readable in both themes."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from consulops.core.status import LOOKS, Status

FOLDER = settings.BASE_DIR / "static" / "css"
COLOURS = (FOLDER / "palette.css").read_text(encoding="utf-8")
PARTS = (FOLDER / "app.css").read_text(encoding="utf-8")
PAIR = re.compile(r"--([a-z-]+): (?:light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)|(#[0-9a-f]{6}));")
PALETTE = {name: (light or both, dark or both) for name, light, dark, both in PAIR.findall(COLOURS)}
STATES = [state.value for state in Status]
# The word "Passing" is in the colour of text: its green is for the icon.
WORDS = [state for state in STATES if state != Status.PASSING]
GROUNDS = ["surface", "surface-hover", "changed"]
# WCAG 2.2: 4.5 for text, 3 for large text, icons, marks and the outlines of fields.
PAIRS = [
    *((ink, ground, 4.5) for ink in ("text", "muted", "accent") for ground in (*GROUNDS, "bg")),
    *((ink, "surface-sunken", 4.5) for ink in ("text", "muted")),
    *((ink, "accent-soft", 4.5) for ink in ("text", "muted")),
    *((state, ground, 4.5) for state in WORDS for ground in GROUNDS),
    *((state, ground, 3) for state in STATES for ground in GROUNDS),
    *((state, "bg", 3) for state in STATES),
    *(("on-state", state, 4.5) for state in WORDS),
    ("accent", "accent-soft", 4.5),
    ("on-accent", "accent-fill", 4.5),
    ("on-accent", "accent-fill-hover", 4.5),
    ("border-field", "surface", 3),
    ("border-field", "bg", 3),
    *((f"stripe-{colour}", "surface", 3) for colour in ("grey", "blue", "red")),
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("state", list(Status))
def test_states_have_the_colours_of_the_table(state: Status) -> None:
    assert PALETTE[state.value] == (LOOKS[state].light, LOOKS[state].dark)


@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_pairs_are_readable(ink: str, ground: str, least: float, theme: int) -> None:
    assert contrast(PALETTE[ink][theme], PALETTE[ground][theme]) >= least


def test_parts_take_their_colours_from_the_palette() -> None:
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", PARTS) == []


def test_every_name_is_defined() -> None:
    used = set(re.findall(r"var\(--([a-z-]+)\)", COLOURS + PARTS))
    defined = set(re.findall(r"--([a-z-]+):", COLOURS))
    assert used - defined == set()

"""The page for those who come from consul-alerts: every feature has its place and its proof."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consulops.api.consul_alerts.translation import SHAPES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "coming-from-consul-alerts.md").read_text(encoding="utf-8")

FEATURES = (
    *("`start`", "`watch checks`", "`watch event`", "`--alert-addr`", "`--consul-addr`"),
    *("`--consul-dc`", "`--consul-acl-token`", "`--watch-checks`", "`--watch-events`"),
    *("`--log-level`", "`--config-file`"),
    *("`/v1/info`", "`/v1/process/checks`", "`/v1/process/events`", "`/v1/health`"),
    *("`/v1/health/wildcard`", "`alwaysOk`", "`ignoreBlacklist`"),
    *("`checks/enabled`", "`checks/change-threshold`", "`checks/single/…/change-threshold`"),
    *("`checks/check/…`", "`checks/service/…`", "`checks/node/…`", "`single/…`"),
    *("`checks/blacklist/nodes/…`", "`checks/blacklist/nodes`"),
    *("`events/enabled`", "`events/handlers`", "`notif-profiles/…`", "`notif-profiles/default`"),
    *("`Interval`", "`NotifList`", "`VarOverrides`"),
    *("`notif-selection/services`", "`notif-selection/status/passing`"),
    *(f"`notifiers/{name}`" for name in SHAPES),
    *("`notifiers/custom/…`", "`payload`", "`incident-key-template`", "`one-per-alert`"),
)
DEFECTS = 24


def rows(title: str) -> list[list[str]]:
    """The rows of all tables under a heading: their cells."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert found, f"there is no section {title!r}"
    lines = [line for line in found[1].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[-1] != "test"]


TABLES = rows("What it does, and where it is here")
WRONGS = rows("What was wrong with it, and how it is here")


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_has_its_row(feature: str) -> None:
    assert [row for row in TABLES if feature in row[0]]


def test_every_defect_has_its_row() -> None:
    numbers = [int(found[1]) for row in WRONGS if (found := re.match(r"(\d+)\. ", row[0]))]
    assert numbers == list(range(1, DEFECTS + 1))


@pytest.mark.parametrize("row", [*TABLES, *WRONGS], ids=lambda row: str(row[0])[:40])
def test_every_row_has_a_test_that_is_there(row: list[str]) -> None:
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", row[-1])
    assert named, "no test proves it"
    for file, name in named:
        text = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).exists() else ""
        assert re.search(rf"^(?:async )?def {name}\(", text, re.M), f"{file} has no {name}"

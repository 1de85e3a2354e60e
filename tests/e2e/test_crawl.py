"""Every page that can be reached, on a wide and a narrow screen, in light and in dark.

With SHOTS=FOLDER in the environment a picture of each page is kept there, for people to look at:
name-width-scheme.png.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.crawl import faults, kind, links
from tests.e2e.house import House
from tests.e2e.visits import Visits

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

# What a crawler that goes by links must at least have found.
PAGES = {
    *("/", "/services/", "/service/", "/nodes/", "/node/", "/checks/", "/checks/n/"),
    *("/alerts/", "/alerts/n/", "/history/", "/heatmap/", "/deliveries/", "/deliveries/n/"),
    *("/events/", "/events/n/", "/events/fire/"),
    *("/events/handlers/", "/events/handlers/new/", "/events/handlers/n/"),
    *("/routes/", "/routes/new/", "/routes/n/", "/routes/would-tell/", "/routes/noise/"),
    *("/rules/", "/rules/new/", "/rules/n/", "/silences/", "/silences/new/", "/silences/n/"),
    *("/clusters/", "/clusters/new/", "/clusters/n/", "/clusters/n/edit/", "/clusters/n/delete/"),
    "/clusters/n/import-consul-alerts/",
    *("/notifiers/", "/notifiers/new/", "/notifiers/n/"),
    *("/users/", "/users/new/", "/users/n/", "/audit/", "/password/"),
    *("/system/", "/system/watchdog/"),
}
# One of each thing that the demo lacks and that has a page.
FURNITURE = """
event_handlers:
  - {name: tour, event: tour, kind: webhook, config: {url: "http://127.0.0.1:9/"}}
service_rules:
  - {name: caches, match: {service: redis}, least_passing: 1}
silences:
  - {match: {service: nothing-has-this-name}, comment: For the tour}
"""


@pytest.fixture(scope="module")
def furnished(house: House) -> None:
    house.apply(FURNITURE)
    house.fire("dc1", "tour", '{"stop": 1}')


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_sound(furnished: None, visits: Visits, width: int) -> None:
    page = visits.open("/events/", width=width)
    expect(page.get_by_role("link", name="tour", exact=True)).to_be_visible()
    # Pictures show what is there, and not how it comes.
    page.emulate_media(reduced_motion="reduce")
    wrong: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    waiting, seen = ["/"], {"/"}
    while waiting:
        address = waiting.pop(0)
        settle(page, address)
        for scheme in ("light", "dark"):
            choose(page, scheme)
            wrong[address] = wrong.get(address, []) + faults(page)
            keep_picture(page, address, width, scheme)
        titles[kind(address)] = page.title()
        new = {kind(link): link for link in reversed(links(page)) if kind(link) not in seen}
        seen |= new.keys()
        waiting += new.values()
    assert {address: found for address, found in wrong.items() if found} == {}
    assert titles.keys() >= PAGES
    assert len(set(titles.values())) == len(titles), titles


def settle(page: Page, address: str) -> None:
    answer = page.goto(address)
    assert answer and answer.status == 200, address
    expect(page.locator("#live-mark")).to_have_attribute("data-state", "live")


def choose(page: Page, scheme: str) -> None:
    root = page.locator("html")
    if root.get_attribute("data-bs-theme") != scheme:
        page.get_by_role("button", name="Light or dark").click()
    expect(root).to_have_attribute("data-bs-theme", scheme)


def keep_picture(page: Page, address: str, width: int, scheme: str) -> None:
    if folder := os.environ.get("SHOTS"):
        name = kind(address).strip("/").replace("/", "-") or "overview"
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)

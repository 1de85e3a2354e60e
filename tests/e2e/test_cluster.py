"""An admin adds a cluster by the form, watches it, and deletes it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.house import House
from tests.e2e.visits import Visits
from tests.product import free_port

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

NAME = "backup-site"


def test_from_a_wrong_address_to_a_watched_cluster_and_away(house: House, visits: Visits) -> None:
    page = visits.open("/clusters/")
    page.get_by_role("link", name="Add cluster").click()
    page.get_by_label("Name").fill(NAME)
    finds_nobody(page)
    page.get_by_label("Address").fill(house.consul["dc2"])
    finds_another_datacenter(page)
    finds_all_good(page)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text(NAME)
    how = page.get_by_label("How it is")
    expect(how).to_contain_text("All 3 checks are passing.")
    # Two names for one Consul tell everything twice.
    expect(page.locator(".banner", has_text="dc2")).to_contain_text("told twice")
    deletes_it(page)


def tries_it(page: Page) -> None:
    """Presses the button and waits for an answer to it."""
    with page.expect_response(lambda answer: answer.url.endswith("/clusters/test/")):
        page.get_by_role("button", name="Test connection").click()


def finds_nobody(page: Page) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    page.get_by_label("Address").fill(address)
    tries_it(page)
    reachable = finding(page, "Reachable")
    expect(reachable).to_contain_text("Bad")
    expect(reachable).to_contain_text("refused")


def finds_another_datacenter(page: Page) -> None:
    page.get_by_label("Datacenter").fill("dc9")
    tries_it(page)
    expect(finding(page, "Reachable")).to_contain_text("Good")
    datacenter = finding(page, "Datacenter")
    expect(datacenter).to_contain_text("Bad")
    expect(datacenter).to_contain_text("dc9")


def finds_all_good(page: Page) -> None:
    page.get_by_label("Datacenter").fill("")
    tries_it(page)
    for name in ("Reachable", "Consul", "Datacenter", "Leader"):
        expect(finding(page, name)).to_contain_text("Good")


def finding(page: Page, name: str) -> Locator:
    return page.locator("#findings .facts > div", has=page.get_by_text(name, exact=True))


def deletes_it(page: Page) -> None:
    page.get_by_role("link", name="Delete…").click()
    name = page.get_by_label("Type the name of the cluster to delete it")
    name.fill("dc2")
    page.get_by_role("button", name=f"Delete {NAME}").click()
    expect(page.get_by_text(f"That is not {NAME}.")).to_be_visible()
    name.fill(NAME)
    page.get_by_role("button", name=f"Delete {NAME}").click()
    expect(page.get_by_text(f"{NAME} is deleted.")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(2)

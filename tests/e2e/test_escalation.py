"""An admin makes a route that escalates, and asks who would be told before anything fails."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.crawl import faults
from tests.e2e.house import House
from tests.e2e.visits import Visits

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

NOTIFIERS = """
notifiers:
  - {name: on-duty, kind: log, config: {path: on-duty.log}}
  - {name: boss, kind: log, config: {path: boss.log}}
"""
ROUTE, SERVICE, NAME = "night watch", "redis", "PING"


def test_a_route_that_escalates_and_who_would_be_told(house: House, visits: Visits) -> None:
    house.apply(NOTIFIERS)
    page = visits.open("/routes/new/")
    makes_the_route(page)
    asks_who_would_be_told(page)
    deletes_the_route(page)


def makes_the_route(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill(ROUTE)
    page.get_by_label("Service optional", exact=True).fill(SERVICE)
    page.get_by_role("group", name="Notifiers").get_by_label("on-duty").check()
    page.get_by_label("Wait before telling").fill("60")
    page.get_by_label("Escalate after").fill("600")
    page.get_by_role("button", name="Save").click()
    # Whom to tell after that time is missing.
    others = page.get_by_role("group", name="Those who come next")
    expect(others).to_contain_text("Tick whom to tell")
    others.get_by_label("boss").check()
    page.get_by_role("button", name="Save").click()
    row = page.locator("#routes tbody tr", has_text=ROUTE)
    expect(row).to_contain_text("to those who come next after 10 min")
    page.get_by_role("button", name=f"Try {ROUTE} earlier").click()
    expect(row).not_to_contain_text("Never tried")


def asks_who_would_be_told(page: Page) -> None:
    page.get_by_role("link", name="Who would be told?").click()
    page.get_by_role("searchbox", name="Find a check", exact=True).fill(f"{NAME} {SERVICE}")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name=NAME, exact=True).click()
    main = page.locator("main")
    expect(main).to_contain_text("Nobody at once.")
    expect(main).to_contain_text(f"Later, if it lasts: on-duty ({ROUTE})")
    expect(main).to_contain_text(f"When nobody acknowledges: boss ({ROUTE})")
    story = page.locator(".story", has_text=ROUTE)
    expect(story.locator("li", has_text="Wait")).to_contain_text(
        "Held: critical must last 60 s before it counts"
    )
    expect(story.get_by_role("img", name="Passed")).not_to_have_count(0)
    assert faults(page) == []


def deletes_the_route(page: Page) -> None:
    page.locator(".story").get_by_role("link", name=ROUTE).click()
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete route").click()
    expect(page.locator("#routes tbody tr", has_text=ROUTE)).to_have_count(0)

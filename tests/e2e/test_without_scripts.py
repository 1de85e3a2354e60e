"""Without JavaScript everything can still be found, read and done."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.house import ADMIN, House
from tests.e2e.visits import Visits
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

CHECK = "redis-1"
NOTE = "connection refused"


def test_an_alert_is_found_and_acknowledged_without_scripts(house: House, visits: Visits) -> None:
    page = visits.open("/checks/", cookies=[], scripts=False)
    page.get_by_label("Username").fill(ADMIN)
    page.get_by_label("Password").fill(house.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_have_text("Checks")

    with house.broken("dc1", CHECK, NOTE):
        eventually(lambda: house.told(CHECK))
        page.get_by_label("Name, id, service or node").fill(CHECK)
        page.get_by_role("button", name="Filter").click()
        row = page.locator("#checks tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("Critical")
        row.get_by_role("link", name="PING").click()
        expect(page.locator("pre").first).to_have_text(NOTE)

        alerts = page.locator("section", has=page.get_by_role("heading", name="Alerts"))
        alerts.get_by_role("link", name="Open").click()
        expect(page).to_have_title(re.compile(r"^\(\d+\) PING on "))
        page.get_by_label("Comment").fill("restarting it")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_label("How it is")).to_contain_text(
            f"{ADMIN} looks after it: restarting it"
        )
        page.get_by_role("button", name="Take the acknowledgement back").click()
        expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()

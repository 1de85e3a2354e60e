"""A datacenter falls silent: what is known of it is called old, and nothing turns green."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.house import House
from tests.e2e.visits import Visits
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

CHECK = "postgres-2"
# Two rounds of a probe that waits its deadline; then it asks less often.
SILENT_MS, HEARD_MS = 30_000, 60_000


def test_a_frozen_datacenter_is_said_to_be_silent_until_it_answers(
    house: House, visits: Visits
) -> None:
    page = visits.open("/checks/?cluster=dc2")
    rows = page.locator("#checks tbody tr")
    broken = rows.filter(has_text=CHECK)
    banner = page.locator("#frame .banner", has_text="dc2")
    with house.broken("dc2", CHECK, "no connection"):
        expect(broken).to_contain_text("Critical")
        expect(banner).to_have_count(0)
        before = rows.count()
        with house.frozen("dc2"):
            expect(banner).to_contain_text("No answer from dc2", timeout=SILENT_MS)
            page.reload()
            expect(banner).to_contain_text("what you see of it is old")
            expect(rows).to_have_count(before)
            expect(broken).to_contain_text("Critical")
            page.goto("/")
            card = page.locator(
                "section.card-link", has=page.get_by_role("link", name="dc2", exact=True)
            )
            expect(card.locator(".verdict")).to_contain_text("No answer for")
            assert card.get_attribute("data-status") == "critical"
            assert [line["reason"] for line in house.told(CHECK)] == ["opened"]
        expect(banner).to_have_count(0, timeout=HEARD_MS)
        expect(card.locator(".verdict")).to_contain_text("1 of 3 checks critical.")
    eventually(lambda: [line["reason"] for line in house.told(CHECK)] == ["opened", "resolved"])

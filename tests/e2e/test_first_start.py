"""The first minute: the printed password opens the door, and the demo is there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.house import ADMIN, House
from tests.e2e.visits import Visits

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

_VERDICT = re.compile(r"(\d+ of \d+ checks \w+|All \d+ checks are passing)\.")


def test_from_the_printed_password_to_the_overview_and_out_again(
    house: House, visits: Visits
) -> None:
    page = visits.open("/checks/?q=web", cookies=[])
    expect(page).to_have_title("Sign in · ConsulOps")
    page.get_by_label("Username").fill(ADMIN)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Name and password do not match an account.")

    page.get_by_label("Password").fill(house.password)
    page.get_by_role("button", name="Sign in").click()
    # Where they wanted to go.
    expect(page).to_have_url(f"{house.url}/checks/?q=web")

    page.get_by_role("link", name="Overview").first.click()
    for name in ("dc1", "dc2"):
        card = page.locator("section.card-link", has=page.get_by_role("link", name=name))
        expect(card.locator(".verdict")).to_have_text(_VERDICT)
        expect(card).to_contain_text("Leader 127.0.0.1")

    page.get_by_label(f"You: {ADMIN}").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · ConsulOps")
    page.goto("/")
    expect(page).to_have_title("Sign in · ConsulOps")

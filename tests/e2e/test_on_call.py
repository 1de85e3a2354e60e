"""Three in the morning: a check breaks, somebody sees it, takes it on, mends it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.house import ADMIN, House
from tests.e2e.visits import Visits
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

CHECK = "payments-1-certificate"
NAME = "Certificate"
NOTE = "expired 3 hours ago"
TAKEN = f"{ADMIN} looks after it: ordering a new one"


def test_a_broken_check_from_the_first_sign_to_the_history(house: House, visits: Visits) -> None:
    page = visits.open("/checks/")
    sees_it_pass(page)
    with house.broken("dc1", CHECK, NOTE):
        sees_it_fail(page)
        finds_the_alert(page)
        sees_who_was_told(page, house)
        takes_it_on(visits.open(page.url))
        hears_of_the_colleague(page)
        mends_it(page, house)
    finds_both_changes(page)
    finds_it_in_the_audit(page)


def sees_it_pass(page: Page) -> None:
    row = page.locator("#checks tr", has=page.get_by_text(CHECK, exact=True))
    expect(row).to_contain_text("Passing")
    expect(page).to_have_title("Checks · ConsulOps")
    expect(page.locator("#live-mark")).to_have_attribute("data-state", "live")
    # Gone when the page is loaded anew.
    page.evaluate("window.isTheSame = true")


def sees_it_fail(page: Page) -> None:
    row = page.locator("#checks tr", has=page.get_by_text(CHECK, exact=True))
    expect(row).to_contain_text("Critical")
    expect(row).to_contain_text(NOTE)
    expect(page).to_have_title("(1) Checks · ConsulOps")
    icon = page.locator("link[rel=icon]")
    expect(icon).to_have_attribute("href", icon.get_attribute("data-critical") or "")
    assert page.evaluate("window.isTheSame")


def finds_the_alert(page: Page) -> None:
    page.get_by_role("link", name="Overview").first.click()
    alerts = page.locator("section.card", has=page.get_by_role("heading", name="Open alerts"))
    row = alerts.locator("tr", has_text=NAME)
    expect(row).to_contain_text("Critical")
    row.get_by_role("link", name="payments").click()
    expect(page).to_have_title(re.compile(rf"^\(1\) {NAME} on "))
    expect(page.locator("pre").first).to_have_text(NOTE)


def sees_who_was_told(page: Page, house: House) -> None:
    steps = page.locator(".story", has_text="everything").locator("ol > li")
    expect(steps).not_to_have_count(0)
    for step in steps.all():
        expect(step.get_by_role("img", name="Passed")).to_be_visible()
        # The word beside the icon and the stage's name is the reason.
        expect(step.locator("span")).not_to_be_empty()
    message = page.locator("li[id^=delivery-]")
    expect(message).to_have_count(1)
    expect(message).to_contain_text("Sent")
    expect(message).to_contain_text("demo-log")
    message.locator("summary").click()
    expect(message.locator(".attempts")).to_contain_text("1 line written to alerts.log")
    (line,) = house.told(CHECK)
    assert (line["reason"], line["status"], line["previous"]) == ("opened", "critical", "passing")
    assert line["output"] == NOTE
    assert line["url"] == page.url


def takes_it_on(page: Page) -> None:
    page.get_by_label("Comment").fill("ordering a new one")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_label("How it is")).to_contain_text(TAKEN)


def hears_of_the_colleague(page: Page) -> None:
    """What was done on another screen shows here, and the number stays in the title."""
    expect(page.get_by_label("How it is")).to_contain_text(TAKEN)
    expect(page).to_have_title(re.compile(rf"^\(1\) {NAME} on "))


def mends_it(page: Page, house: House) -> None:
    expect(page.locator("#live-mark")).to_have_attribute("data-state", "live")
    page.evaluate("window.isTheSame = true")
    house.mend("dc1", CHECK)
    expect(page.get_by_label("How it is")).to_contain_text("Over")
    expect(page).to_have_title(re.compile(rf"^{NAME} on "))
    expect(page.locator("li[id^=delivery-]")).to_have_count(2)
    assert page.evaluate("window.isTheSame")
    reasons = eventually(lambda: [line["reason"] for line in house.told(CHECK)][1:])
    assert reasons == ["resolved"]


def finds_both_changes(page: Page) -> None:
    page.locator(".facts").get_by_role("link", name=NAME).click()
    timeline = page.locator("section", has=page.get_by_role("heading", name="Timeline")).locator(
        ".timeline > li"
    )
    expect(timeline.nth(0)).to_contain_text("Passing")
    expect(timeline.nth(1)).to_contain_text("Critical")
    timeline.nth(1).locator("summary").click()
    expect(timeline.nth(1).locator("pre")).to_have_text(NOTE)


def finds_it_in_the_audit(page: Page) -> None:
    page.goto("/audit/?action=alert.acknowledged")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text(ADMIN)
    expect(row).to_contain_text("ordering a new one")

"""On call with a phone: somebody silences a service for an hour, and ends that early."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.crawl import faults
from tests.e2e.house import House
from tests.e2e.visits import Visits

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

CHECK, SERVICE, NAME = "postgres-1-replication", "postgres", "Replication lag"


def test_a_service_is_silenced_with_one_click_and_told_again(house: House, visits: Visits) -> None:
    page = visits.open("/alerts/", width=390)
    with house.broken("dc1", CHECK, "replica is 340 s behind"):
        opens_the_alert(page)
        silences_the_service(page)
        sees_it_silenced(page)
        ends_the_silence(page)
        sees_it_loud(page)


def row_of(page: Page) -> Locator:
    return page.locator("#alerts tbody tr", has_text=NAME)


def opens_the_alert(page: Page) -> None:
    expect(row_of(page)).to_contain_text("Critical")
    row_of(page).get_by_role("link", name=NAME).click()
    expect(page.locator("h1")).to_contain_text(NAME)
    assert faults(page) == []


def silences_the_service(page: Page) -> None:
    page.get_by_role("button", name="this service 1 h").click()
    expect(page.locator("#toasts")).to_contain_text(f"Service {SERVICE} is silent for an hour.")


def sees_it_silenced(page: Page) -> None:
    page.goto("/alerts/")
    expect(row_of(page)).to_contain_text("Silenced")
    assert faults(page) == []


def ends_the_silence(page: Page) -> None:
    page.goto("/silences/")
    silence = page.locator("#silences tbody tr", has_text=SERVICE)
    expect(silence).to_contain_text("Silent")
    expect(silence).to_contain_text("1 open alert")
    assert faults(page) == []
    silence.get_by_role("button", name=re.compile(r"^End silence #\d+ now$")).click()
    expect(silence).to_have_count(0)


def sees_it_loud(page: Page) -> None:
    page.goto("/alerts/")
    expect(row_of(page)).not_to_contain_text("Silenced")

"""An admin lets a webhook be told of one service, and learns when its receiver refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.house import House
from tests.e2e.visits import Visits
from tests.receivers import Answer, WebhookReceiver

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

CHECK = "api-1-latency"
NAME = "Latency"
NOTE = "p95 is 9000 ms"
NOTIFIER, ROUTE = "pager", "api to pager"


def test_from_an_empty_form_to_a_message_and_to_a_refusal(house: House, visits: Visits) -> None:
    page = visits.open("/notifiers/")
    with WebhookReceiver() as receiver:
        adds_the_notifier(page, receiver)
        adds_the_route(page)
        puts_the_route_first(page)
        with house.broken("dc1", CHECK, NOTE):
            gets_the_message(page, receiver.next().json())
            receiver.answer = Answer(404, "no such hook")
        assert receiver.next().json()["reason"] == "resolved"
        sees_the_refusal(page)
        removes_both(page)


def adds_the_notifier(page: Page, receiver: WebhookReceiver) -> None:
    page.get_by_role("link", name="Add notifier").click()
    kinds = page.get_by_role("navigation", name="Kind")
    page.get_by_label("Name", exact=True).fill(NOTIFIER)
    kinds.get_by_role("link", name="E-mail").click()
    expect(page.get_by_label("SMTP server")).to_be_visible()
    expect(page.get_by_label("Address")).to_have_count(0)
    kinds.get_by_role("link", name="Webhook", exact=True).click()
    expect(page.get_by_label("SMTP server")).to_have_count(0)
    # What is not of the kind stays as it was typed.
    expect(page.get_by_label("Name", exact=True)).to_have_value(NOTIFIER)
    page.get_by_label("Address").fill(receiver.url)

    receiver.answer = Answer(202, "taken, thank you")
    page.get_by_role("button", name="Send test").click()
    tested = page.locator("#tested")
    expect(tested).to_contain_text("Accepted")
    expect(tested).to_contain_text("202")
    expect(tested).to_contain_text("taken, thank you")
    assert receiver.next().json()["reason"] == "test"
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{NOTIFIER} is saved.")).to_be_visible()
    expect(page.locator("tr", has_text=NOTIFIER)).to_contain_text("Never used")


def adds_the_route(page: Page) -> None:
    page.goto("/routes/")
    page.get_by_role("link", name="Add route").click()
    page.get_by_label("Name", exact=True).fill(ROUTE)
    service = page.get_by_role("textbox", name="Service optional", exact=True)
    service.fill("(")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Mend these first")
    service.fill("api")
    expect(preview).to_contain_text("Matches 2 of the")
    expect(preview).to_contain_text(NAME)
    page.get_by_role("group", name="Notifiers").get_by_label(NOTIFIER).check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("tr", has_text=ROUTE)).to_contain_text("Never tried")


def puts_the_route_first(page: Page) -> None:
    page.get_by_role("button", name=f"Try {ROUTE} earlier").click()
    expect(page.locator("#toasts")).to_contain_text(f"{ROUTE} is now tried earlier.")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text(ROUTE)
    expect(row).not_to_contain_text("Never tried")


def gets_the_message(page: Page, body: dict[str, Any]) -> None:
    (alert,) = body["alerts"]
    assert re.fullmatch(r"[0-9a-f-]{36}", body["id"])
    assert list(body) == ["version", "id", "reason", "cluster", "route", "alerts"]
    assert (body["version"], body["reason"]) == (1, "opened")
    assert (body["cluster"], body["route"]) == ("dc1", ROUTE)
    assert alert | {"id": 0, "url": "", "since": ""} == {
        **{"id": 0, "url": "", "check": CHECK, "status": "critical", "previous": "passing"},
        **{"node": "dc1-server-1", "service": "api", "service_id": "api-1", "name": NAME},
        **{"output": NOTE, "tags": ["backend", "production"], "since": ""},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", alert["since"])
    page.goto(alert["url"])
    expect(page.locator("h1")).to_contain_text(NAME)
    expect(page.locator("li[id^=delivery-]")).to_contain_text(f"to {NOTIFIER} by {ROUTE}")


def sees_the_refusal(page: Page) -> None:
    page.goto("/notifiers/")
    row = page.locator("tr", has_text=NOTIFIER)
    expect(row).to_contain_text("Does not send")
    expect(row).to_contain_text("404")
    row.get_by_role("link", name=NOTIFIER).click()
    banner = page.locator(".banner-critical")
    expect(banner).to_contain_text("404")
    expect(banner).to_contain_text("no such hook")


def removes_both(page: Page) -> None:
    expect(page.get_by_text("can be deleted once no route uses it")).to_be_visible()
    page.locator(".section").get_by_role("link", name=ROUTE).click()
    page.get_by_text("Delete…").click()
    page.get_by_role("button", name="Delete route").click()
    expect(page.locator("tbody tr", has_text=ROUTE)).to_have_count(0)
    page.goto("/notifiers/")
    page.get_by_role("link", name=NOTIFIER).click()
    page.get_by_text("Delete notifier…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text(f"{NOTIFIER} is deleted.")).to_be_visible()

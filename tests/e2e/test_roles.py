"""A viewer sees what everybody sees, and can change nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.house import House
from tests.e2e.visits import Visits

pytestmark = [pytest.mark.browser, pytest.mark.product, pytest.mark.consul]

NAME, PASSWORD = "vera", "a long walk home"
PAGES = (
    *("/", "/checks/", "/services/", "/nodes/", "/alerts/", "/alerts/1/", "/routes/"),
    *("/history/", "/heatmap/", "/deliveries/", "/deliveries/1/"),
    *("/clusters/", "/notifiers/", "/system/"),
)
# How the names of buttons and links begin that change something.
_ACTION = re.compile(r"^(Acknowledge|Take|Send|Test|Add|Edit|Delete|Try|Reset|Save)\b")


def test_a_viewer_reads_everything_and_changes_nothing(house: House, visits: Visits) -> None:
    adds_a_viewer(visits.open("/users/"))
    page = visits.open("/", house.sign_in(NAME, PASSWORD))
    for path in PAGES:
        page.goto(path)
        expect(page.locator("h1")).to_have_count(1)
        has_no_actions(page)
    page.goto("/clusters/")
    page.locator("main").get_by_role("link", name="dc1", exact=True).first.click()
    expect(page).to_have_title(re.compile("^.*dc1"))
    has_no_actions(page)
    for name in ("Users", "Audit"):
        expect(page.locator(".side").get_by_role("link", name=name)).to_have_count(0)
    is_refused(page)


def adds_a_viewer(page: Page) -> None:
    page.get_by_role("link", name="Add user").click()
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Role").select_option(label="Viewer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add user").click()
    expect(
        page.get_by_text(f"{NAME} can sign in with the password that you chose.")
    ).to_be_visible()


def has_no_actions(page: Page) -> None:
    main = page.locator("main")
    for found in (
        main.get_by_role("button", name=_ACTION),
        main.get_by_role("link", name=_ACTION),
        main.locator("form[method=post]"),
    ):
        expect(found, f"actions on {page.url}").to_have_count(0)


def is_refused(page: Page) -> None:
    """What a viewer would have to forge is answered by a page that says which role it needs."""
    page.goto("/")
    # The form that signs out has it.
    token = page.locator("input[name=csrfmiddlewaretoken]").first.get_attribute("value")
    for path, role in (
        ("/alerts/1/acknowledge/", "Operator"),
        ("/notifiers/1/test/", "Operator"),
        ("/notifiers/new/", "Admin"),
        ("/routes/new/", "Admin"),
        ("/clusters/1/delete/", "Admin"),
        ("/users/new/", "Admin"),
    ):
        answer = page.request.post(path, form={"csrfmiddlewaretoken": token or "", "name": "dc1"})
        assert answer.status == 403, path
        assert "You may not do this" in answer.text(), path
        assert f"This needs the role {role}, and yours is Viewer." in answer.text(), path

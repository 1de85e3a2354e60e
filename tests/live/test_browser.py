"""What the pages gain from scripts, in a real browser under the real Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from consulops.accounts.models import Role
from consulops.core import postgres
from tests.live.server import Web, cookie_of
from tests.people import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Open = Callable[..., Page]
WIDTHS = (1440, 390)


# Tells when the live part was fetched, and when a fetch was held back.
_WATCH = """
const tell = (word) => { document.documentElement.dataset[word] = ""; };
addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "box" && event.defaultPrevented) tell("refused");
});
addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "box") tell("settled");
});
"""


def settled(page: Page) -> Page:
    """Waits until the stream is open and the part that it made stale was fetched."""
    expect(page.locator("html[data-settled]")).to_have_count(1)
    expect(page.locator("#live-mark")).to_have_attribute("data-state", "live")
    return page


@pytest.fixture
def ring() -> Iterator[Callable[[str], None]]:
    """Rings a topic; not over Django, whose guard takes the browser's event loop for ours."""
    with psycopg.connect(**postgres.listen_parameters(), autocommit=True) as link:

        def notify(topic: str) -> None:
            link.execute("SELECT pg_notify(%s, %s)", [postgres.LIVE, topic])

        yield notify


@pytest.fixture
def open_page(web: Web, chromium_path: str) -> Iterator[Open]:
    """Opens a page as an admin, and fails the test when the browser complains."""
    name, _, value = cookie_of(make_user("ada", Role.ADMIN)).partition("=")
    base = f"http://127.0.0.1:{web.port}"
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])

        def start(address: str, width: int = 1440, scheme: str = "light", **more: bool) -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
                java_script_enabled=more.get("scripts", True),
            )
            context.add_cookies([{"name": name, "value": value, "url": base}])
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console",
                lambda said: complaints.append(said.text) if said.type == "error" else None,
            )
            page.add_init_script(_WATCH)
            page.goto(base + address)
            return page

        yield start
        browser.close()
    assert complaints == []


def test_a_ring_changes_the_row_and_tints_only_what_changed(
    open_page: Open, ring: Callable[[str], None]
) -> None:
    page = settled(open_page("/ticking/"))
    before = int(page.locator("#renders").inner_text())
    ring("checks")
    expect(page.locator("#renders")).not_to_have_text(str(before))
    expect(page.locator("#row")).to_have_class("changed")
    expect(page.locator("#same")).not_to_have_class("changed")
    expect(page.locator("#row")).not_to_have_class("changed")
    expect(page.locator("#box")).to_have_count(1)


def test_nothing_is_taken_from_under_a_readers_hands(
    open_page: Open, ring: Callable[[str], None]
) -> None:
    page = settled(open_page("/ticking/"))
    page.locator("#typing").fill("half a sen")
    before = page.locator("#renders").inner_text()
    ring("checks")
    expect(page.locator("html[data-refused]")).to_have_count(1)
    assert page.locator("#renders").inner_text() == before
    assert page.locator("#typing").input_value() == "half a sen"
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("#renders")).not_to_have_text(before)


def test_a_dialog_holds_updates_until_it_is_closed(
    open_page: Open, ring: Callable[[str], None]
) -> None:
    page = settled(open_page("/ticking/"))
    page.get_by_role("button", name="Ask…").click()
    expect(page.locator("#ask")).to_be_visible()
    before = page.locator("#renders").inner_text()
    ring("checks")
    expect(page.locator("html[data-refused]")).to_have_count(1)
    assert page.locator("#renders").inner_text() == before
    page.locator("#ask button").click()
    expect(page.locator("#renders")).not_to_have_text(before)


def test_keys_lead_to_pages_but_not_while_one_types(open_page: Open) -> None:
    page = open_page("/ticking/")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("g s ?")
    expect(page.locator("#find")).to_have_value("g s ?")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/alerts/list")


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: Open) -> None:
    page = open_page("/style/", scheme="dark")
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(20, 21, 23)")
    page.locator("[data-theme-toggle]").click()
    expect(root).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-bs-theme", "light")
    expect(page.locator("body")).to_have_css("background-color", "rgb(248, 249, 250)")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_goes_sideways_and_every_target_can_be_hit(open_page: Open, width: int) -> None:
    page = open_page("/style/?bad=1", width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    small = page.evaluate(
        """[...document.querySelectorAll("button, .btn, input, select, summary, nav a")]
        .filter((one) => one.checkVisibility() && one.type !== "checkbox")
        .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.height < 24 || box.width < 24))
        .map(([html]) => html)"""
    )
    assert small == []


def test_the_drawer_opens_and_closes(open_page: Open) -> None:
    page = open_page("/style/", 390)
    menu = page.locator("#side")
    expect(menu).to_be_hidden()
    page.get_by_role("link", name="Menu", exact=True).click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_can_be_read_and_used_without_scripts(open_page: Open, width: int) -> None:
    page = open_page("/style/", width, scripts=False)
    expect(page.locator("[data-copy]").first).to_be_hidden()
    expect(page.locator("[data-theme-toggle]")).to_be_hidden()
    page.locator(".confirm summary").click()
    expect(page.get_by_role("button", name="Delete route")).to_be_visible()
    expect(page.get_by_role("button", name="Filter")).to_be_visible()
